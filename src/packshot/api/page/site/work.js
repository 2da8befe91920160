// Making what is asked for of every photo: a few at a time, again when the settings change, in the background.

import { insist } from "./connection.js";
import { Made } from "./photos.js";
import { makePackshot, Problem } from "./service.js";
import { bytes } from "./words.js";

const IN_FLIGHT = 3;
// What is wrong with a photo stays wrong whatever is asked for.
const OF_THE_PHOTO = new Set(["empty-file", "unreadable-image", "unsupported-format", "unsupported-depth",
  "unsupported-grayscale", "file-too-large", "image-too-large", "image-too-small", "body-too-large", "broken"]);

/** A wish: { key, options, picture }: what is asked for of all photos. Says "stopped" with a problem of all of them. */
export class Work extends EventTarget {
  wish = null;
  first = null; // the photo that somebody looks at
  held = null; // the photo that somebody paints on: it is made when that is over
  stopped = null; // { key, problem }
  #flying = 0;

  constructor({ photos, connection, keys, maxBytes }) {
    super();
    Object.assign(this, { photos, connection, keys, maxBytes });
  }

  ask(wish) {
    this.wish = wish;
    this.resume();
  }

  /** Go on after a problem of all photos. */
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

  /** Whether the picture of this photo is the one that is asked for now. */
  isDone(photo) {
    return photo.result?.key === this.#keyOf(photo);
  }

  isSettled(photo) {
    return Boolean(photo.failure) || this.isDone(photo);
  }

  /** Start what can be started. Cheap, and always safe to call. */
  pump() {
    if (!this.wish) return;
    for (const photo of this.photos.all) this.#refresh(photo);
    if (this.stopped) return;
    const waiting = this.photos.all.filter((photo) => !photo.running && !this.isSettled(photo) && photo !== this.held);
    if (waiting.includes(this.first)) waiting.unshift(this.first);
    for (const photo of new Set(waiting)) {
      if (this.#flying >= IN_FLIGHT) break;
      this.#make(photo);
    }
  }

  /** A picture of a photo, with options of one's own: patiently, and beside what is made for the list. */
  send(photo, { options, picture }, { signal, onSent, onWait }) {
    const once = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const painted = photo.size ? photo.strokes.file(photo.size) : Promise.resolve(null);
    return painted.then((touchUp) => {
      const files = { ...(picture && { background_picture: picture }), ...(touchUp && { touch_up: touchUp }) };
      return insist((key) => makePackshot({ photo: photo.file, options, files, key, once, onSent, signal }),
        { connection: this.connection, keys: this.keys, signal, onWait });
    });
  }

  #keyOf(photo) {
    return `${this.wish?.key}|${photo.strokes.key}`;
  }

  // Stop what is no longer wanted; take what was made before.
  #refresh(photo) {
    const key = this.#keyOf(photo);
    if (photo.running && photo.running.key !== key) {
      photo.running.control.abort();
      photo.running = null;
    }
    if (photo.failure && photo.failure.key !== key && !photo.failure.permanent) photo.failure = null;
    const kept = photo.kept(key);
    if (kept && photo.result !== kept) photo.take(kept);
  }

  async #make(photo) {
    const control = new AbortController();
    const running = { key: this.#keyOf(photo), control, sent: 0, waits: "" };
    const tell = (news) => { Object.assign(running, news); this.photos.changed(photo); };
    photo.running = running;
    this.#flying += 1;
    try {
      this.#checkSize(photo.file);
      const calls = { signal: control.signal, onSent: (sent) => tell({ sent }), onWait: (waits) => tell({ waits, sent: 0 }) };
      const made = await this.send(photo, this.wish, calls);
      if (!control.signal.aborted) photo.take(new Made(running.key, made));
    } catch (error) {
      if (!control.signal.aborted) this.#failed(photo, running.key, error);
    } finally {
      this.#flying -= 1;
      if (photo.running === running) photo.running = null;
      this.photos.changed(photo);
      this.pump();
    }
  }

  #failed(photo, key, problem) {
    if (["invalid-option", "out-of-credits"].includes(problem.slug)) {
      this.stopped = { problem };
      this.dispatchEvent(new Event("stopped"));
    } else {
      photo.failure = { key, problem, permanent: OF_THE_PHOTO.has(problem.slug) };
    }
  }

  // Said at once: a photo that is too large need not be sent to be refused.
  #checkSize({ size }) {
    if (!size) throw new Problem({ slug: "empty-file", detail: "This file is empty." });
    if (size > this.maxBytes) {
      const detail = `This photo has ${bytes(size)}; the service takes up to ${bytes(this.maxBytes)}.`;
      throw new Problem({ slug: "file-too-large", detail, hint: "Save a smaller copy of it." });
    }
  }
}
