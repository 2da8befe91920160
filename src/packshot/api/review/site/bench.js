// The photo at full size: a divider between before and after, or the brush for corrections.

import { Compare } from "./compare.js";
import { find } from "./dom.js";
import { percent, t } from "./language.js";
import { Stage } from "./stage.js";
import { Strokes } from "./strokes.js";
import { TouchUp } from "./touch_up.js";

/** A photo in the form that compare.js and touch_up.js expect. */
class OnBench {
  strokes = new Strokes();
  preview = null;
  failure = null;
  result = null;

  constructor(photo, size) {
    Object.assign(this, { id: photo.id, photo, size });
  }
}

/** mode: "" (closed), "compare" or "paint". onPainted() after every stroke. */
export class Bench {
  mode = "";
  #on = null;

  constructor({ batch, onPainted }) {
    this.batch = batch;
    this.stage = new Stage(find("stage"), find("world"));
    this.compare = new Compare(this.stage);
    this.touchUp = new TouchUp({ stage: this.stage, previews: { get: (...given) => this.#preview(...given) }, onChange: onPainted });
    for (const [name, act] of [["zoom-in", () => this.stage.zoom(1.25)], ["zoom-out", () => this.stage.zoom(0.8)], ["zoom-fit", () => this.stage.fit()]]) {
      find(name).addEventListener("click", act);
    }
    this.stage.addEventListener("move", () => { find("zoom").textContent = percent(this.stage.scale * devicePixelRatio); });
    find("stage").addEventListener("keydown", (event) => {
      if ((this.mode === "paint" && this.touchUp.key(event)) || this.stage.key(event)) event.preventDefault();
    });
  }

  get isPainted() {
    return Boolean(this.#on?.strokes.done.length);
  }

  /** The current painting in the service's format, or null. */
  painted() {
    return this.#on.strokes.file(this.#on.size);
  }

  /** Compare the photo with its picture at this index. */
  async open(photo, index) {
    const output = photo.outputs[index];
    const on = await this.#begin(photo, "compare");
    if (!on) return;
    const corners = ([left, top, right, bottom]) => ({ left, top, right, bottom });
    const [width, height] = output.photo;
    const rotate = Number(photo.decision?.options.rotate ?? 0);
    on.result = { facts: { width: output.width, height: output.height, photo: { width, height }, box: corners(output.box),
      product: corners(output.product), rotate } };
    const after = find("after").firstElementChild;
    Object.assign(after, { hidden: false, src: await this.batch.outputUrl(photo, index) });
    if (this.#on !== on) return;
    find("stage").setAttribute("aria-label", t("review.stage", { name: photo.source }));
    this.stage.tool = this.compare.tool;
    this.compare.enter(on, false);
  }

  /** Correct the photo by hand. */
  async paint(photo) {
    const on = await this.#begin(photo, "paint");
    if (!on) return;
    find("stage").setAttribute("aria-label", t("review.stage-paint", { name: photo.source }));
    this.stage.tool = this.touchUp.tool;
    this.touchUp.enter(on);
    find("stage").focus();
  }

  close() {
    if (this.mode === "paint" && this.#on?.entered) this.touchUp.leave();
    if (this.#on?.preview) URL.revokeObjectURL(this.#on.preview.url);
    this.#on = null;
    this.#look("");
    find("after").firstElementChild.removeAttribute("src");
  }

  async #begin(photo, mode) {
    this.close();
    const on = this.#on = new OnBench(photo, null);
    this.#look(mode);
    const image = find("before").firstElementChild;
    try {
      image.src = await this.batch.photoUrl(photo);
      await image.decode();
    } catch {
      if (this.#on === on) this.#busy(t("review.photo-hidden"));
      return null;
    }
    if (this.#on !== on) return null;
    on.size = { width: image.naturalWidth, height: image.naturalHeight };
    on.entered = true;
    this.#busy("");
    return on;
  }

  #look(mode) {
    this.mode = mode;
    const [compares, paints] = [mode === "compare", mode === "paint"];
    find("work").classList.toggle("painting", paints);
    const shown = { bench: mode, pictures: !mode, "compare-tools": compares, divider: compares, "tag-before": compares, "tag-after": compares,
      "paint-tools": paints, "tag-paint": paints, actions: !paints, painting: paints };
    for (const [name, is] of Object.entries(shown)) find(name).hidden = !is;
    find("after").style.clipPath = find("before").style.clipPath = "";
    find("stage").classList.remove("knows-matte");
    this.#busy("");
  }

  #busy(words) {
    Object.assign(find("busy"), { textContent: words, hidden: !words });
  }

  async #preview(on, { signal, onWait }) {
    const key = on.strokes.key;
    if (on.preview?.key === key) return on.preview;
    const ids = on.strokes.done.map((stroke) => stroke.id);
    const blob = await this.batch.preview(on.photo, await on.strokes.file(on.size), { signal, onWait });
    signal.throwIfAborted();
    if (on.preview) URL.revokeObjectURL(on.preview.url);
    on.preview = { key, ids, url: URL.createObjectURL(blob) };
    return on.preview;
  }
}
