// Makes the pictures of all photos in the background: a few at a time, and again when a look changes.

import { insist } from "./connection.js";
import { t } from "./language.js";
import { contradiction, looksOf, wishOf } from "./looks.js";
import { wordOf } from "./names.js";
import { Made } from "./photos.js";
import { makePackshots, Problem } from "./service.js";

const IN_FLIGHT = 3;
// Errors of the photo itself, which other options cannot fix.
const OF_THE_PHOTO = new Set(["empty-file", "unreadable-image", "unsupported-format", "unsupported-depth",
  "unsupported-grayscale", "file-too-large", "image-too-large", "image-too-small", "body-too-large", "broken"]);

/** look: the look of all photos; each may have its own. Dispatches "stopped" on a problem that affects all photos. */
export class Work extends EventTarget {
  look = null;
  first = null; // the open photo
  held = null; // the photo being painted on; its picture is made afterwards
  inSight = new Set(); // photos with visible cards; they come first
  stopped = null; // { problem }
  #flying = 0;

  constructor({ photos, connection, keys, offer }) {
    super();
    Object.assign(this, { photos, connection, keys, offer });
  }

  ask(look) {
    this.look = look;
    this.resume();
  }

  /** Continue after a problem that affected all photos. */
  resume() {
    this.stopped = null;
    this.dispatchEvent(new Event("stopped"));
    this.pump();
    this.photos.changed();
  }

  retry(photo) {
    photo.failure = null;
    this.photos.changed(photo);
    this.pump();
  }

  /** The look of a photo: the common look with the photo's own changes. */
  lookOf(photo) {
    return { ...this.look, ...photo.own };
  }

  /** Whether the photo's pictures match its current look. */
  isDone(photo) {
    return this.look !== null && sameKeys(photo.results.map(({ key }) => key), this.#keysOf(photo));
  }

  isSettled(photo) {
    return Boolean(photo.failure) || this.isDone(photo);
  }

  /** Start all work that can start. Cheap and always safe to call. */
  pump() {
    if (!this.look) return;
    for (const photo of this.photos.all) this.#refresh(photo);
    const waiting = this.photos.all.filter((photo) => !photo.running && !this.isSettled(photo) && photo !== this.held && this.#mayBeMade(photo));
    const turn = (photo) => (photo === this.first ? 0 : this.inSight.has(photo) ? 1 : 2);
    for (const photo of waiting.sort((one, other) => turn(one) - turn(other))) {
      if (this.#flying >= IN_FLIGHT) break;
      this.#make(photo);
    }
  }

  /** Make pictures of a photo, [{ facts, blob }], with other options, in parallel with the list. Retries until it succeeds. */
  async send(photo, { options, picture = null }, { signal, onSent, onWait }) {
    const once = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const painted = photo.size ? await photo.strokes.file(photo.size) : null;
    const files = { ...(picture && { background_picture: picture }), ...(painted && { touch_up: painted }) };
    const attempt = async (key) => {
      const named = [key, null].includes(photo.remote?.key) ? photo.remote.id : null;
      const { photoId: id, pictures } = await makePackshots({ photo: photo.file, named, options, files, key, once, onSent, signal });
      photo.remote = id ? { id, key } : null;
      return pictures;
    };
    const patiently = () => insist(attempt, { connection: this.connection, keys: this.keys, signal, onWait });
    try {
      return await patiently();
    } catch (error) {
      if (error.slug !== "photo-unknown" || !photo.remote) throw error;
      photo.remote = null; // the service no longer has it, or only another replica does
      return patiently();
    }
  }

  /** Facts of a look that the page stores with the service's facts: the rotation and the word in the output's name. */
  #said(look) {
    const { options, picture } = wishOf(look);
    return { rotate: look.rotate ?? 0, word: wordOf(options, { picture: Boolean(picture), formats: this.offer.formats }) };
  }

  // Without credits, photos that are already paid for can still be made again.
  #mayBeMade(photo) {
    return !this.stopped || (this.stopped.problem.slug === "out-of-credits" && photo.remote);
  }

  #keysOf(photo) {
    return looksOf(this.lookOf(photo)).map((look) => keyOf(look, photo));
  }

  // Stop outdated work and reuse earlier pictures. Old pictures stay until all new ones are there.
  #refresh(photo) {
    const keys = this.#keysOf(photo);
    if (photo.running && !photo.running.keys.some((key) => keys.includes(key))) {
      photo.running.control.abort();
      photo.running = null;
    }
    if (photo.failure && !sameKeys(photo.failure.keys, keys) && !photo.failure.permanent) photo.failure = null;
    const there = keys.map((key) => photo.kept(key)).filter(Boolean);
    const isNews = there.some((made, index) => made !== photo.results[index]) || there.length !== photo.results.length;
    if (isNews && there.length && (there.length === keys.length || !photo.results.length)) photo.take(there);
  }

  async #make(photo) {
    const control = new AbortController();
    const looks = looksOf(this.lookOf(photo)).filter((look) => !photo.kept(keyOf(look, photo)));
    const keys = looks.map((look) => keyOf(look, photo));
    const running = { keys, control, sent: photo.remote ? 1 : 0, waits: "" };
    const tell = (news) => { Object.assign(running, news); this.photos.changed(photo); };
    photo.running = running;
    this.#flying += 1;
    try {
      this.#check(photo);
      const calls = { signal: control.signal, onSent: (sent) => tell({ sent }), onWait: (waits) => tell({ waits }) };
      const all = { ...looks[0], preset: looks.map(({ preset }) => preset).join() };
      const pictures = await this.send(photo, wishOf(all), calls);
      if (control.signal.aborted) return;
      pictures.forEach(({ facts, blob }, index) => photo.keep(new Made(keys[index], { facts: { ...facts, ...this.#said(looks[index]) }, blob })));
      this.#refresh(photo);
    } catch (error) {
      if (!control.signal.aborted) this.#failed(photo, error);
    } finally {
      this.#flying -= 1;
      if (photo.running === running) photo.running = null;
      this.photos.changed(photo);
      this.pump();
    }
  }

  #failed(photo, problem) {
    const ofAll = problem.slug === "out-of-credits" || (problem.slug === "invalid-option" && !photo.hasOwnLook);
    if (ofAll) {
      photo.remote = null;
      this.stopped = { problem };
      this.dispatchEvent(new Event("stopped"));
    } else {
      photo.failure = { keys: this.#keysOf(photo), problem, permanent: OF_THE_PHOTO.has(problem.slug) };
    }
  }

  // Reports a too large photo at once, without sending it.
  #check(photo) {
    const { size } = photo.file;
    const most = this.offer.inputs.max_bytes;
    if (!size) throw new Problem({ slug: "empty-file" });
    if (size > most) throw new Problem({ slug: "file-too-large", bytes: size, max_bytes: most });
    const wrong = contradiction(this.lookOf(photo), this.offer);
    if (wrong) throw new Problem({ slug: "contradiction", detail: t(...wrong) });
  }
}

/** The key of a photo's picture. It depends on the look and the strokes, not on other chosen presets. */
const keyOf = (look, photo) => `${wishOf(look).key}|${photo.strokes.key}`;

const sameKeys = (one, other) => one.length === other.length && one.every((key, index) => key === other[index]);
