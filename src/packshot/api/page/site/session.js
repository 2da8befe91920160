// Keeps work across reloads: photos, results and settings, only in this browser's IndexedDB.

import { Claims, newToken } from "./claims.js";
import { MISSING, emptied, filled, numbersIn } from "./session_records.js";

const PLACE = "packshot-session";
const SHAPE = 1; // version of the records: a higher number discards the records of older pages
const KEPT_MS = 7 * 24 * 3600 * 1000;
const OPEN_MS = 4000; // some browsers never answer if their storage is broken
const WRITE_MS = 300; // more frequent changes are written once
const STORES = ["sessions", "records", "blobs"];

const keyOf = (kind, id) => JSON.stringify([kind, id]);
const allOf = (session) => IDBKeyRange.bound([session], [session, []]);

/**
 * One session: a page's state and its photos. A tab keeps its session across a reload. A new tab takes the newest session
 * that no other tab uses, for example after a crash. Two tabs never share one. A page deletes sessions that have not
 * changed for seven days when it opens.
 *
 * Records are plain, cloneable objects, with blobs at any depth. They are copied when they are saved, and written soon
 * after, in the background. The same blob is written once. Of several saves of a record only the last is written.
 *
 * works: whether everything saved is or soon will be stored. Dispatches "full", with `error` in its detail, when that
 * ends, mostly because the disk is full. Older records stay. Removing a photo frees space: the failed records are tried
 * again, and "room" is dispatched when all are stored.
 */
export class Session extends EventTarget {
  works = true;
  #database = null;
  #claims = null;
  #id = "";
  #owner = newToken();
  #begun = false; // whether the session is in the database
  #pending = new Map(); // by key: { kind, id, value, blobs }; value is undefined for a deletion
  #failed = new Map(); // the same, for records that did not fit
  #flying = new Set(); // promises of transactions
  #timer = 0;
  #isDraining = false;
  #isLearning = false;
  #epoch = 0; // number of clear() calls
  // In the database, or being written:
  #numbers = new WeakMap(); // of a blob
  #contents = new Map(); // by key of a record: the numbers of its blobs
  #written = new Set(); // numbers
  #orders = new Map(); // by id of a photo
  #nextNumber = 1;
  #nextOrder = 1;

  /** Open this tab's session. Never throws. If the browser forbids storage, nothing is stored and `works` is false. */
  static async open() {
    const session = new Session();
    try {
      await session.#begin();
    } catch {
      session.#database = null;
      session.works = false;
    }
    return session;
  }

  /** Load { page, photos }. page: the saved value, or null. photos: [{ id, order, ...record }] in order. */
  async load() {
    if (!this.#database) return { page: null, photos: [] };
    await this.flush();
    const { records, blobs } = await this.#read({ withBlobs: true });
    let page = null;
    const photos = [];
    for (const { kind, id, order, value } of records) {
      const whole = filled(value, blobs);
      if (whole === MISSING) continue; // a browser may lose a stored file
      if (kind === "page") page = whole;
      else photos.push({ ...whole, id, order });
    }
    for (const [number, blob] of blobs) this.#numbers.set(blob, number);
    return { page, photos: photos.sort((one, other) => one.order - other.order) };
  }

  savePage(state) {
    this.#save("page", "", state);
  }

  /** id: a number or a text. record.order: position among the photos; by default the order of saving. */
  savePhoto(id, record) {
    const order = record.order ?? this.#orders.get(id) ?? this.#nextOrder;
    this.#orders.set(id, order);
    this.#nextOrder = Math.max(this.#nextOrder, order + 1);
    this.#save("photo", id, record, order);
  }

  removePhoto(id) {
    this.#orders.delete(id);
    this.#save("photo", id);
  }

  /** Delete this session and all sessions that no other tab uses. Rejects if the browser cannot. */
  async clear() {
    if (!this.#database) return;
    this.#epoch += 1;
    this.#pending.clear();
    this.#failed.clear();
    this.#forget();
    this.#begun = false;
    try {
      await this.#delete(this.#id);
      for (const { id } of await this.#sessions()) {
        if (id !== this.#id) await this.#claims.meanwhile(id, () => this.#delete(id));
      }
    } catch (error) {
      await this.#learn();
      throw error;
    }
    this.#recover();
  }

  /** Resolves when everything saved so far is written, or did not fit. */
  async flush() {
    while (this.#database && (this.#pending.size || this.#flying.size || this.#isDraining)) {
      if (this.#pending.size && !this.#isDraining) await this.#drain();
      else await Promise.allSettled(this.#flying.size ? this.#flying : [wait(10)]);
    }
  }

  async #begin() {
    this.#database = await within(OPEN_MS, opened());
    this.#database.onversionchange = () => this.#lose(new Error("A newer page is open in another tab."));
    this.#database.onclose = () => this.#lose(new Error("The browser has closed its storage."));
    this.#claims = new Claims();
    await this.#dropOld();
    await this.#claim();
    await this.#learn();
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && this.#hurry());
    addEventListener("pagehide", () => this.#hurry());
  }

  async #dropOld() {
    for (const { id, touched } of await this.#sessions()) {
      if (touched < Date.now() - KEPT_MS) await this.#claims.meanwhile(id, () => this.#delete(id));
    }
  }

  // A duplicated tab has the id of the original, which still holds the session.
  async #claim() {
    const before = rememberedId();
    if (before && await this.#claims.take(before, { patient: true })) return this.#own(before);
    const newestFirst = (await this.#sessions()).sort((one, other) => other.touched - one.touched);
    for (const { id } of newestFirst) {
      if (id !== before && await this.#claims.take(id)) return this.#own(id);
    }
    const fresh = newToken();
    await this.#claims.take(fresh);
    return this.#own(fresh);
  }

  async #own(id) {
    this.#id = id;
    rememberId(id);
    await this.#transact("readwrite", ({ sessions }) => {
      sessions.get(id).onsuccess = ({ target: { result } }) => {
        this.#begun = Boolean(result);
        if (result) sessions.put(this.#row());
      };
    });
  }

  #row() {
    return { id: this.#id, owner: this.#owner, touched: Date.now() };
  }

  #save(kind, id, record, order = 0) {
    if (!this.#database) return;
    const blobs = new Map();
    const number = (blob) => {
      if (!this.#numbers.has(blob)) this.#numbers.set(blob, this.#nextNumber++);
      blobs.set(this.#numbers.get(blob), blob);
      return this.#numbers.get(blob);
    };
    const key = keyOf(kind, id);
    this.#failed.delete(key);
    this.#pending.delete(key); // so that it is last
    this.#pending.set(key, { kind, id, order, value: record && emptied(record, number), blobs });
    if (!this.#timer && !this.#isDraining) this.#timer = setTimeout(() => this.#drain(), WRITE_MS);
  }

  /** Write pending records one at a time, so that one that does not fit does not affect others. */
  async #drain() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#isDraining) return;
    this.#isDraining = true;
    while (this.#database && this.#pending.size) {
      const [entry] = this.#pending;
      this.#pending.delete(entry[0]);
      await this.#write([entry]);
    }
    this.#isDraining = false;
  }

  /** Hand all pending records to the browser at once, because the page may close soon. */
  #hurry() {
    if (!this.#database || !this.#pending.size || this.#isLearning) return;
    const entries = [...this.#pending];
    this.#pending.clear();
    this.#write(entries);
  }

  async #write(entries) {
    const epoch = this.#epoch;
    try {
      await this.#transact("readwrite", (stores, transaction) => this.#put(entries, stores, transaction));
      if (epoch === this.#epoch) this.#succeeded(entries);
    } catch (error) {
      if (epoch === this.#epoch) await this.#missed(entries, error);
    }
  }

  #put(entries, { sessions, records, blobs }, transaction) {
    const begun = this.#begun;
    const [added, gone] = this.#note(entries);
    this.#begun = true;
    const put = () => {
      sessions.put(this.#row());
      for (const [, { kind, id, order, value }] of entries) {
        const place = [this.#id, kind, id];
        if (value === undefined) records.delete(place);
        else records.put({ kind, id, order, value }, place);
      }
      for (const [number, blob] of added) blobs.put(blob, [this.#id, number]);
      for (const number of gone) blobs.delete([this.#id, number]);
      transaction.commit?.(); // so that it completes without this page
    };
    if (navigator.locks) return put();
    // Without locks, another tab may have taken the session while this one was suspended.
    sessions.get(this.#id).onsuccess = ({ target: { result } }) => {
      if (result ? result.owner === this.#owner : !begun) return put();
      this.#lose(new Error("Another tab has taken this session."));
      return transaction.abort();
    };
    return null;
  }

  /** The changes of a write to the blobs: blobs to add, by number, and numbers that no record uses any more. */
  #note(entries) {
    const added = new Map();
    const before = new Set();
    for (const [key, { value, blobs }] of entries) {
      for (const number of this.#contents.get(key) ?? []) before.add(number);
      if (value === undefined) this.#contents.delete(key);
      else this.#contents.set(key, new Set(blobs.keys()));
      for (const [number, blob] of blobs) if (!this.#written.has(number)) added.set(number, blob);
    }
    const named = new Set([...before].filter((number) => [...this.#contents.values()].some((numbers) => numbers.has(number))));
    const gone = [...before].filter((number) => !named.has(number));
    for (const number of added.keys()) this.#written.add(number);
    for (const number of gone) this.#written.delete(number);
    return [added, gone];
  }

  #succeeded(entries) {
    if (this.#failed.size && entries.some(([, { value }]) => value === undefined)) {
      for (const [key, entry] of this.#failed) if (!this.#pending.has(key)) this.#pending.set(key, entry);
      this.#failed.clear();
      if (!this.#isDraining) this.#timer ||= setTimeout(() => this.#drain(), WRITE_MS);
    }
    if (!this.#pending.size) this.#recover();
  }

  async #missed(entries, error) {
    for (const [key, entry] of entries) if (!this.#pending.has(key)) this.#failed.set(key, entry);
    await this.#learn().catch((worse) => this.#lose(worse));
    this.#stumble(error);
  }

  #stumble(error) {
    if (!this.works) return;
    this.works = false;
    this.dispatchEvent(new CustomEvent("full", { detail: { error } }));
  }

  #recover() {
    if (this.works || !this.#database || this.#failed.size) return;
    this.works = true;
    this.dispatchEvent(new Event("room"));
  }

  #lose(error) {
    this.#database?.close();
    this.#database = null;
    this.#pending.clear();
    this.#failed.clear();
    this.#stumble(error);
  }

  /** Read the state of the database into memory. */
  async #learn() {
    if (!this.#database) return;
    this.#isLearning = true;
    try {
      const { records, numbers } = await this.#read();
      this.#forget();
      this.#written = new Set(numbers);
      this.#nextNumber = Math.max(this.#nextNumber, ...numbers.map((number) => number + 1));
      for (const { kind, id, order, value } of records) {
        this.#contents.set(keyOf(kind, id), numbersIn(value));
        if (kind === "photo") this.#orders.set(id, order);
        this.#nextOrder = Math.max(this.#nextOrder, order + 1);
      }
    } finally {
      this.#isLearning = false;
    }
  }

  #forget() {
    this.#contents.clear();
    this.#written.clear();
    this.#orders.clear();
  }

  async #read({ withBlobs = false } = {}) {
    const found = {};
    const range = allOf(this.#id);
    await this.#transact("readonly", ({ records, blobs }) => {
      records.getAll(range).onsuccess = ({ target }) => { found.records = target.result; };
      blobs.getAllKeys(range).onsuccess = ({ target }) => { found.numbers = target.result.map(([, number]) => number); };
      if (withBlobs) blobs.getAll(range).onsuccess = ({ target }) => { found.files = target.result; };
    });
    const blobs = new Map(found.files?.map((blob, index) => [found.numbers[index], blob]));
    return { records: found.records, numbers: found.numbers, blobs };
  }

  async #sessions() {
    let found = [];
    await this.#transact("readonly", ({ sessions }) => { sessions.getAll().onsuccess = ({ target }) => { found = target.result; }; });
    return found;
  }

  #delete(id) {
    return this.#transact("readwrite", ({ sessions, records, blobs }) => {
      sessions.delete(id);
      records.delete(allOf(id));
      blobs.delete(allOf(id));
    });
  }

  /** Run one transaction over all stores. Resolves when it completes, rejects when it fails. */
  #transact(mode, act) {
    const done = new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(STORES, mode);
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("The browser has given up writing."));
      try {
        act(Object.fromEntries(STORES.map((name) => [name, transaction.objectStore(name)])), transaction);
      } catch (error) { // such as a record that cannot be cloned
        transaction.onabort = null;
        transaction.abort();
        reject(error);
      }
    });
    this.#flying.add(done);
    const end = () => this.#flying.delete(done);
    done.then(end, end);
    return done;
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(PLACE, SHAPE);
    request.onupgradeneeded = () => {
      for (const name of [...request.result.objectStoreNames]) request.result.deleteObjectStore(name);
      request.result.createObjectStore("sessions", { keyPath: "id" });
      request.result.createObjectStore("records");
      request.result.createObjectStore("blobs");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const within = (ms, promise) => Promise.race([promise, wait(ms).then(() => { throw new Error("The storage does not answer."); })]);

function rememberedId() {
  try {
    return sessionStorage.getItem(PLACE) ?? "";
  } catch {
    return "";
  }
}

function rememberId(id) {
  try {
    sessionStorage.setItem(PLACE, id);
  } catch {
    // a reload then takes the newest session
  }
}
