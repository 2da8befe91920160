// The work that a reload must not lose: photos, results and settings, in this browser's IndexedDB and nowhere else.

import { Claims, newToken } from "./claims.js";
import { MISSING, emptied, filled, numbersIn } from "./session_records.js";

const PLACE = "packshot-session";
const SHAPE = 1; // of the records that the page keeps: a higher number drops what an older page kept
const KEPT_MS = 7 * 24 * 3600 * 1000;
const OPEN_MS = 4000; // some browsers never answer when their storage is broken
const WRITE_MS = 300; // what changes more often is written once
const STORES = ["sessions", "records", "blobs"];

const keyOf = (kind, id) => JSON.stringify([kind, id]);
const allOf = (session) => IDBKeyRange.bound([session], [session, []]);

/**
 * One session: a page's state and its photos. A tab keeps its session when it is loaded again; a new tab takes the newest
 * one that no other tab has, as after a crash; two tabs never have the same one. After seven days without a change it is
 * deleted when a page opens.
 *
 * Records are plain objects of what can be cloned, blobs in them at any depth. They are copied when they are saved, and
 * written soon after, in the background; the same blob is written once. A record that was saved again before is written
 * once, as it was last.
 *
 * works: whether everything that was saved is, or soon will be, kept. Says "full", with `error` in its detail, when that
 * ends: mostly because the disk is full. What was written before stays, and a photo that is removed makes room: what did
 * not fit is tried again, and "room" says that all of it is kept now.
 */
export class Session extends EventTarget {
  works = true;
  #database = null;
  #claims = null;
  #id = "";
  #owner = newToken();
  #begun = false; // whether the session stands in the database
  #pending = new Map(); // by key: { kind, id, value, blobs }, value undefined where the record is to go
  #failed = new Map(); // the same, of those that did not fit
  #flying = new Set(); // promises of transactions
  #timer = 0;
  #isDraining = false;
  #isLearning = false;
  #epoch = 0; // counts what clear() began
  // In the database, or on its way to it:
  #numbers = new WeakMap(); // of a blob
  #contents = new Map(); // by key of a record: the numbers of its blobs
  #written = new Set(); // numbers
  #orders = new Map(); // by id of a photo
  #nextNumber = 1;
  #nextOrder = 1;

  /** The session of this tab. Never throws: where the browser forbids storage, nothing is kept and `works` is false. */
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

  /** What is kept: { page, photos }. page: as it was saved, or null. photos: [{ id, order, ...record }] in their order. */
  async load() {
    if (!this.#database) return { page: null, photos: [] };
    await this.flush();
    const { records, blobs } = await this.#read({ withBlobs: true });
    let page = null;
    const photos = [];
    for (const { kind, id, order, value } of records) {
      const whole = filled(value, blobs);
      if (whole === MISSING) continue; // a browser may have lost a file of its own
      if (kind === "page") page = whole;
      else photos.push({ ...whole, id, order });
    }
    for (const [number, blob] of blobs) this.#numbers.set(blob, number);
    return { page, photos: photos.sort((one, other) => one.order - other.order) };
  }

  savePage(state) {
    this.#save("page", "", state);
  }

  /** id: a number or a text. record.order: its place among the photos; without one, the order in which they came. */
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

  /** Delete this session and all that no other tab has open. Rejects where the browser cannot. */
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

  /** Resolves when all that was saved so far is written, or did not fit. */
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

  // A tab that was duplicated comes with the id of the other one, which holds it.
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
    this.#pending.delete(key); // so that it comes last
    this.#pending.set(key, { kind, id, order, value: record && emptied(record, number), blobs });
    if (!this.#timer && !this.#isDraining) this.#timer = setTimeout(() => this.#drain(), WRITE_MS);
  }

  /** Write what waits, a record at a time, so that one that does not fit takes no other with it. */
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

  /** The page may be gone in a moment: hand over to the browser all that waits, at once. */
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
      transaction.commit?.(); // so that it does not need this page any more
    };
    if (navigator.locks) return put();
    // Without locks, another tab may have taken the session while this one slept.
    sessions.get(this.#id).onsuccess = ({ target: { result } }) => {
      if (result ? result.owner === this.#owner : !begun) return put();
      this.#lose(new Error("Another tab has taken this session."));
      return transaction.abort();
    };
    return null;
  }

  /** What a write changes among the blobs: those to add, by number, and the numbers that no record names any more. */
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

  /** Take what stands in the database for what is known of it. */
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

  /** One transaction over all stores. Resolves when it is complete, rejects when it is not. */
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
    // the newest session is taken after a reload then
  }
}
