// The mode to correct the product by hand: paint or click, see the service's preview, undo.

import { Brush } from "./brush.js";
import { find, say } from "./dom.js";
import { grow, Look, snap } from "./grow.js";
import { t } from "./language.js";
import { AS_FOUND, gridOf, pack, paint, traceOf } from "./strokes.js";

const PAUSE_MS = 350;
const SEEN_PX = 1000; // longest side for the edge search; the service moves edges by up to 1 % of it
const READ_MS = 4000; // how long a short note stays

/**
 * Shows the plain photo until the matte is known, then the removed area faint and the kept area clear.
 * onChange(): called after every stroke, undo and redo. previews: the photo's cutouts, see previews.js.
 */
export class TouchUp {
  #control = null;
  #timer = 0;
  #note = 0;
  #shown = new Set(); // the strokes in the preview
  #url = ""; // of the shown preview
  #look = null; // the photo's colours at SEEN_PX; false if the browser hides them
  #alpha = null; // of the preview, at the same size
  #ready = Promise.resolve();
  #waiting = []; // strokes that ended before the colours were read
  #last = null; // the last click, whose reach can still be changed

  constructor({ stage, previews, onChange }) {
    Object.assign(this, { stage, previews, onChange });
    this.brush = new Brush(stage, (stroke) => this.#take(stroke));
    find("undo").addEventListener("click", () => this.undo());
    find("redo").addEventListener("click", () => this.redo());
    find("reach").addEventListener("input", () => this.#reachAgain());
  }

  get tool() {
    return this.brush.tool;
  }

  undo() {
    this.#edit((strokes) => strokes.undo(), t("viewer.undone"));
  }

  redo() {
    this.#edit((strokes) => strokes.redo(), t("viewer.redone"));
  }

  enter(photo) {
    this.photo = photo;
    this.#shown.clear();
    this.stage.show(photo.size, true);
    const image = find("before").firstElementChild;
    Object.assign(image.style, { width: "100%", height: "100%", left: "0", top: "0", rotate: "" });
    for (const layer of ["before", "after"]) find(layer).style.clipPath = "";
    this.#picture("");
    this.brush.enter(photo.size);
    this.#buttons();
    this.#ready = this.#read(image);
    if (photo.preview) this.#show(photo.preview);
    if (photo.preview?.key !== photo.strokes.key) this.#preview();
  }

  leave() {
    this.#look ??= false; // a stroke that ends now is used unchanged
    this.brush.leave(); // may end a stroke, which would request a preview
    for (const stroke of this.#waiting.splice(0)) if (stroke.tool === "brush") this.#take(stroke);
    clearTimeout(this.#timer);
    this.#control?.abort();
    this.#control = null;
    this.#picture("");
    this.#busy("");
    this.photo = null;
    this.#look = this.#alpha = this.#last = null;
  }

  key(event) {
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && (key === "z" || key === "y")) {
      if (event.shiftKey || key === "y") this.redo();
      else this.undo();
      return true;
    }
    return this.brush.key(event);
  }

  /** Read the photo's colours. This takes a moment, so the photo is shown first. */
  async #read(image) {
    const { photo } = this;
    const current = () => this.photo === photo && this.#look === null;
    try {
      await image.decode();
      await new Promise((resolve) => { setTimeout(resolve); });
      if (!current()) return;
      const { width, height } = gridOf(photo.size, SEEN_PX);
      this.#look = tellsColours() && new Look(pixels(image, width, height), width, height);
    } catch {
      if (!current()) return;
      this.#look = false; // the picture is no longer there, or cannot be shown
    }
    for (const stroke of this.#waiting.splice(0)) this.#take(stroke);
  }

  /** Find the area of an ended stroke, then add the stroke. */
  #take(stroke) {
    if (this.#look === null) this.#waiting.push(stroke);
    else if (stroke.tool === "click") this.#click(stroke);
    else this.#edit((strokes) => strokes.add(this.#snapped(stroke)));
  }

  #snapped(stroke) {
    if (!this.#look || !find("snap").checked) return stroke;
    const { width, height } = this.#look;
    const { painted, line } = traceOf(stroke, gridOf(this.photo.size, SEEN_PX).scale, width, height);
    return line.length ? { ...stroke, mask: pack(snap(this.#look, painted, line), width, height) } : stroke;
  }

  #click(stroke) {
    if (!this.#look) return this.#tell(t("paint.hidden-colours"));
    const { width, height } = this.#look;
    const { scale } = gridOf(this.photo.size, SEEN_PX);
    const [x, y] = ["x", "y"].map((axis) => Math.floor(stroke.points[0][axis] * scale));
    if (x < 0 || y < 0 || x >= width || y >= height) return undefined;
    return this.#grow({ stroke, x, y, alpha: this.#known() }, (strokes, grown) => strokes.add(grown));
  }

  /** Apply a changed reach to the last click. */
  #reachAgain() {
    if (!this.photo || !this.#last || this.photo.strokes.done.at(-1)?.id !== this.#last.id) return;
    this.#grow(this.#last, (strokes, grown) => { strokes.undo(); strokes.add(grown); });
  }

  #grow(click, put) {
    const { stroke, x, y, alpha } = click;
    const { width, height } = this.#look;
    const keeps = stroke.brush === "keep";
    const mask = grow(this.#look, alpha, { x, y }, keeps, 4 ** (find("reach").value / 50 - 1));
    if (!mask) return this.#tell(t(keeps ? "paint.kept-already" : "paint.removed-already"));
    this.#edit((strokes) => put(strokes, { ...stroke, mask: pack(mask, width, height) }));
    this.#last = { ...click, id: this.photo.strokes.done.at(-1).id };
    return undefined;
  }

  /** The current matte, 0 to 255 for each pixel: the preview's, plus later strokes. Null if unknown. */
  #known() {
    if (!this.#alpha) return null;
    const { width, height } = this.#look;
    const since = this.photo.strokes.done.filter((stroke) => !this.#shown.has(stroke.id));
    if (!since.length) return this.#alpha;
    const painted = paint(since, gridOf(this.photo.size, SEEN_PX).scale, width, height);
    return this.#alpha.map((value, at) => {
      if (painted[at] > AS_FOUND) return Math.max(value, 2 * (painted[at] - AS_FOUND));
      return painted[at] < AS_FOUND ? Math.min(value, 2 * painted[at]) : value;
    });
  }

  #edit(change, words = "") {
    if (!this.photo) return;
    const before = this.photo.strokes.key;
    change(this.photo.strokes);
    if (this.photo.strokes.key === before) return;
    this.#buttons();
    this.#tint();
    if (words) say(words, find("viewer-said"));
    this.onChange();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#preview(), PAUSE_MS);
  }

  #buttons() {
    const { done, undone } = this.photo.strokes;
    for (const [name, strokes] of [["undo", done], ["redo", undone]]) {
      const button = find(name);
      const held = document.activeElement === button;
      button.disabled = !strokes.length;
      if (held && button.disabled) this.stage.place.focus(); // a disabled button would lose the focus
    }
  }

  async #preview() {
    const { photo } = this;
    this.#control?.abort();
    const control = this.#control = new AbortController();
    if (!photo.strokes.done.length && photo.failure?.problem.slug === "no-foreground") {
      this.#picture("");
      return this.#busy(t("brush.nothing-found"));
    }
    const onWait = (waits) => this.#busy(t(waits ? "state.waiting-service" : "state.working"));
    onWait("");
    try {
      const preview = await this.previews.get(photo, { signal: control.signal, onWait });
      if (control.signal.aborted) return undefined;
      this.#show(preview);
      return this.#busy("");
    } catch (error) {
      if (control.signal.aborted) return undefined;
      return this.#busy(error.message);
    }
  }

  #show({ ids, url }) {
    this.#picture(url);
    this.#shown = new Set(ids);
    this.#tint();
  }

  #tint() {
    this.brush.show(this.photo.strokes.done.filter((stroke) => !this.#shown.has(stroke.id)));
  }

  #picture(url) {
    this.#url = url;
    const image = find("after").firstElementChild;
    image.hidden = !url;
    if (url) image.src = url;
    else this.#alpha = null;
    if (url) this.#weigh(image, url);
    else this.stage.place.classList.remove("knows-matte");
  }

  /** Read the preview's matte. Until the preview is shown, the earlier matte stays. */
  async #weigh(image, url) {
    await image.decode().catch(() => undefined);
    if (this.#url !== url || !image.naturalWidth) return;
    this.stage.place.classList.add("knows-matte");
    await this.#ready;
    if (this.#url !== url || !this.#look) return;
    const { width, height } = this.#look;
    const levels = pixels(image, width, height);
    this.#alpha = Uint8Array.from({ length: width * height }, (_, at) => levels[4 * at + 3]);
  }

  /** A short note over the picture. */
  #tell(words) {
    say(words, find("viewer-said"));
    this.#busy(words);
    this.#note = setTimeout(() => this.#busy(""), READ_MS);
  }

  #busy(words) {
    clearTimeout(this.#note);
    find("busy").textContent = words;
    find("busy").hidden = !words;
  }
}

/** The RGBA levels of a picture, scaled to another size. */
function pixels(image, width, height) {
  const context = canvasOf(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Whether a canvas returns the colours drawn on it. Browsers with fingerprinting protection may return noise or white. */
function tellsColours() {
  const context = canvasOf(8, 8);
  context.fillStyle = "rgb(40 120 200)";
  context.fillRect(0, 0, 8, 8);
  return context.getImageData(0, 0, 8, 8).data.every((level, at) => Math.abs(level - [40, 120, 200, 255][at % 4]) < 6);
}

function canvasOf(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });
}
