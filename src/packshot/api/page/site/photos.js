// The photos of this page and what became of each.

import { Strokes } from "./strokes.js";
import { extension, stem } from "./words.js";

const KEPT_RESULTS = 4; // going back to a look that was made before costs nothing
let made = 0;

/** A picture that came back. key: what was asked for. facts: as POST /v1/packshots answers. */
export class Made {
  #url = "";

  constructor(key, { facts, blob }) {
    Object.assign(this, { key, facts, blob });
  }

  get url() {
    this.#url ||= URL.createObjectURL(this.blob);
    return this.#url;
  }

  forget() {
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = "";
  }
}

/** One photo. running: { key, control, sent, waits } or null. failure: { key, problem } or null. */
export class Photo {
  result = null;
  running = null;
  failure = null;
  looked = false;
  saved = false;
  size = null;
  strokes = new Strokes();
  #kept = [];
  #url = "";

  constructor(file) {
    made += 1;
    this.id = made;
    this.file = file;
    this.name = file.name || `photo-${made}.png`;
  }

  get url() {
    this.#url ||= URL.createObjectURL(this.file);
    return this.#url;
  }

  get outputName() {
    return `${stem(this.name)}.${extension(this.result.facts)}`;
  }

  get needsLook() {
    return Boolean(this.result?.facts.review) && !this.looked && !this.failure;
  }

  get breaksRules() {
    return this.result?.facts.preset?.passed === false && !this.failure;
  }

  take(result) {
    this.result = result;
    this.size = result.facts.photo;
    this.failure = null;
    this.saved = false;
    this.#kept = [...this.#kept.filter((each) => each.key !== result.key), result];
    while (this.#kept.length > KEPT_RESULTS) this.#kept.shift().forget();
  }

  /** The picture that was made for this key before, if it is still here. */
  kept(key) {
    return this.#kept.find((each) => each.key === key) ?? null;
  }

  forget() {
    this.running?.control.abort();
    this.#kept.forEach((each) => each.forget());
    if (this.#url) URL.revokeObjectURL(this.#url);
  }
}

/** All photos, in the order in which they came. Says "change" with `photo` in its detail, or none when many changed. */
export class Photos extends EventTarget {
  all = [];

  add(files) {
    const added = files.map((file) => new Photo(file));
    this.all.push(...added);
    this.changed();
    return added;
  }

  remove(photo) {
    photo.forget();
    this.all = this.all.filter((each) => each !== photo);
    this.changed();
  }

  clear() {
    this.all.forEach((photo) => photo.forget());
    this.all = [];
    this.changed();
  }

  changed(photo = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: { photo } }));
  }
}
