// The photos of this page and their state.

import { pathOf } from "./drop.js";
import { PLAIN_OWN } from "./looks.js";
import { extension, outputName, stem } from "./names.js";
import { Strokes } from "./strokes.js";

const KEPT_LOOKS = 4; // cached pictures, to return to an earlier look at once
const KEPT_SETS = 2; // the same, if a look has several pictures
let made = 0;

/** A finished picture. key: of its look and strokes. facts: from POST /v1/packshots. preset: its name, or "". */
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
 * One photo. own: its own look (looks.js). given: the user's name for its picture; "" for the photo's name.
 * results: its pictures, one for each preset. shown: the preset of the shown picture, if there are several.
 * running: { keys, control, sent, waits } or null. failure: { keys, problem } or null. remote: the photo's id in the
 * service, { id, key: the access key, or null if unknown }, or null. lookedAt: the strokes' key when the user looked at
 * it; null for never.
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

  /** The shown picture, or null. */
  get result() {
    return this.results.find(({ preset }) => preset === this.shown) ?? this.results[0] ?? null;
  }

  /** Whether it has pictures for several presets. */
  get isSeveral() {
    return this.results.length > 1;
  }

  /** The name of its picture, existing or not, without the suffix. */
  get title() {
    return this.given || (this.result && !this.isSeveral ? stem(this.outputName) : stem(this.name));
  }

  /**
   * One of its pictures for names.js: the photo's name with a word for its look, as on the command line, or only the given
   * name. inFolder: whether the picture is in its preset's folder, so that the name need not contain the preset.
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

  /** Whether its picture for a preset passes all rules and needs no further look. */
  isReadyFor(name) {
    return this.isMade && !this.needsLook && this.results.some(({ preset, facts }) => preset === name && facts.preset.passed);
  }

  /** Whether its look differs from the page's settings. */
  get hasOwnLook() {
    return Object.keys(this.own).some((name) => this.own[name] !== PLAIN_OWN[name]);
  }

  /** Replace its pictures. */
  take(results) {
    this.results = results;
    this.size ??= this.own.rotate ? null : results[0].facts.photo;
    this.failure = null;
    this.saved = false;
    this.#kept = [...this.#kept.filter((each) => !results.includes(each)), ...results];
    while (this.#kept.length > Math.max(KEPT_LOOKS, KEPT_SETS * results.length)) this.#kept.shift().forget();
  }

  /** Cache a picture until all pictures of its look are there. */
  keep(made) {
    this.#kept.push(made);
  }

  /** The cached picture of this key, if any. */
  kept(key) {
    return this.#kept.find((each) => each.key === key) ?? null;
  }

  /** Stop its work and release its memory. It can be used again. */
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

/** All photos, in order of arrival. Dispatches "change" with `photo` in its detail, or without it if many changed. */
export class Photos extends EventTarget {
  all = [];

  add(photos) {
    this.all.push(...photos);
    this.changed();
  }

  /** Remove photos. Returns a function that restores them at their positions. */
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
