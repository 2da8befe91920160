// The photos of this page and what became of each.

import { pathOf } from "./drop.js";
import { PLAIN_OWN } from "./looks.js";
import { extension, outputName, stem } from "./names.js";
import { Strokes } from "./strokes.js";

const KEPT_RESULTS = 4; // going back to a look that was made before takes no time
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

/**
 * One photo. own: its own look (looks.js). given: the name that somebody gave to its picture; "" for the photo's own.
 * running: { key, control, sent, waits } or null. failure: { key, problem } or null. remote: how the service knows the
 * photo, { id, key: the access key, null where it is not known }, or null. lookedAt: the strokes with which somebody looked at it; null for never.
 */
export class Photo {
  own = { ...PLAIN_OWN };
  given = "";
  result = null;
  running = null;
  failure = null;
  remote = null;
  lookedAt = null;
  saved = false;
  size = null;
  strokes = new Strokes();
  preview = null; // the cutout that Touch up and Place show: { key, url }
  #kept = [];
  #url = "";

  constructor(file, id = null) {
    made = Math.max(made + 1, id ?? 0);
    this.id = id ?? made;
    this.file = file;
    this.path = pathOf(file);
    this.name = file.name || `photo-${this.id}.png`;
  }

  get url() {
    this.#url ||= URL.createObjectURL(this.file);
    return this.#url;
  }

  /** The name of its picture without the ending, as it is or would be. */
  get title() {
    return this.given || (this.result ? stem(this.outputName) : stem(this.name));
  }

  /** For names.js: its own name with a word for its look, as the command line has it, or just the given one. */
  get output() {
    const { word = "" } = this.result.facts;
    const named = this.given ? { name: `${this.given}.-`, word: "" } : { name: this.name, word };
    return { ...named, path: this.path, extension: extension(this.result.facts) };
  }

  get outputName() {
    return outputName(this.output);
  }

  get isMade() {
    return Boolean(this.result) && !this.failure;
  }

  get looked() {
    return this.lookedAt === this.strokes.key;
  }

  get needsLook() {
    return this.isMade && Boolean(this.result.facts.review) && !this.looked;
  }

  get breaksRules() {
    return this.isMade && this.result.facts.preset?.passed === false;
  }

  /** Whether it looks other than the page's settings say. */
  get hasOwnLook() {
    return Object.keys(this.own).some((name) => this.own[name] !== PLAIN_OWN[name]);
  }

  take(result) {
    this.result = result;
    this.size ??= this.own.rotate ? null : result.facts.photo;
    this.failure = null;
    this.saved = false;
    this.#kept = [...this.#kept.filter((each) => each.key !== result.key), result];
    while (this.#kept.length > KEPT_RESULTS) this.#kept.shift().forget();
  }

  /** The picture that was made for this key before, if it is still here. */
  kept(key) {
    return this.#kept.find((each) => each.key === key) ?? null;
  }

  /** Stop its work, and let go of what the browser holds for it. It can be used again. */
  rest() {
    this.running?.control.abort();
    this.running = null;
    this.#kept.forEach((each) => each.forget());
    if (this.preview) URL.revokeObjectURL(this.preview.url);
    this.preview = null;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = "";
  }
}

/** All photos, in the order in which they came. Says "change" with `photo` in its detail, or none when many changed. */
export class Photos extends EventTarget {
  all = [];

  add(photos) {
    this.all.push(...photos);
    this.changed();
  }

  /** Take photos out; returns what puts them back where they were. */
  remove(photos) {
    const before = this.all;
    const gone = new Set(photos);
    this.all = this.all.filter((photo) => !gone.has(photo));
    photos.forEach((photo) => photo.rest());
    this.changed();
    return () => {
      const since = this.all.filter((photo) => !before.includes(photo));
      this.all = [...before.filter((photo) => gone.has(photo) || this.all.includes(photo)), ...since];
      this.changed();
    };
  }

  changed(photo = null) {
    this.dispatchEvent(new CustomEvent("change", { detail: { photo } }));
  }
}
