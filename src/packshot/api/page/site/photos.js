// The photos of this page and what became of each.

import { pathOf } from "./drop.js";
import { PLAIN_OWN } from "./looks.js";
import { extension, outputName, stem } from "./names.js";
import { Strokes } from "./strokes.js";

const KEPT_LOOKS = 4; // going back to a look that was made before takes no time
const KEPT_SETS = 2; // the same, where a look is several pictures
let made = 0;

/** A picture that came back. key: what was asked for. facts: as POST /v1/packshots answers. preset: its name, or "". */
export class Made {
  #url = "";

  constructor(key, { facts, blob }) {
    Object.assign(this, { key, facts, blob, preset: facts.preset?.name ?? "" });
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
 * results: its pictures, one for each preset. shown: the preset whose picture is in sight, where there are several.
 * running: { keys, control, sent, waits } or null. failure: { keys, problem } or null. remote: how the service knows the
 * photo, { id, key: the access key, null where it is not known }, or null. lookedAt: the strokes with which somebody looked at it; null for never.
 */
export class Photo {
  own = { ...PLAIN_OWN };
  given = "";
  results = [];
  shown = "";
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

  /** The picture that is in sight, or null. */
  get result() {
    return this.results.find(({ preset }) => preset === this.shown) ?? this.results[0] ?? null;
  }

  /** Whether it has a picture for each of several presets. */
  get isSeveral() {
    return this.results.length > 1;
  }

  /** The name of its picture without the ending, as it is or would be. */
  get title() {
    return this.given || (this.result && !this.isSeveral ? stem(this.outputName) : stem(this.name));
  }

  /**
   * One of its pictures for names.js: its own name with a word for its look, as the command line has it, or just the given
   * one. inFolder: whether the picture goes into a folder of its preset, whose name it then need not bear.
   */
  outputOf({ preset, facts }, inFolder = false) {
    const folder = inFolder ? preset : "";
    const word = this.given && !this.isSeveral ? "" : facts.word ?? "";
    return { name: this.given ? `${this.given}.-` : this.name, word: folder ? "" : word, folder, path: this.path, extension: extension(facts) };
  }

  get outputName() {
    return outputName(this.outputOf(this.result));
  }

  get isMade() {
    return this.results.length > 0 && !this.failure;
  }

  get looked() {
    return this.lookedAt === this.strokes.key;
  }

  get needsLook() {
    return this.isMade && !this.looked && this.results.some(({ facts }) => facts.review);
  }

  get breaksRules() {
    return this.isMade && this.results.some(({ facts }) => facts.preset?.passed === false);
  }

  /** Whether its picture for a preset keeps all rules, and nobody need look at it any more. */
  isReadyFor(name) {
    return this.isMade && !this.needsLook && this.results.some(({ preset, facts }) => preset === name && facts.preset.passed);
  }

  /** Whether it looks other than the page's settings say. */
  get hasOwnLook() {
    return Object.keys(this.own).some((name) => this.own[name] !== PLAIN_OWN[name]);
  }

  /** These are its pictures now. */
  take(results) {
    this.results = results;
    this.size ??= this.own.rotate ? null : results[0].facts.photo;
    this.failure = null;
    this.saved = false;
    this.#kept = [...this.#kept.filter((each) => !results.includes(each)), ...results];
    while (this.#kept.length > Math.max(KEPT_LOOKS, KEPT_SETS * results.length)) this.#kept.shift().forget();
  }

  /** Keep a picture until all that are to be taken with it are there. */
  keep(made) {
    this.#kept.push(made);
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
