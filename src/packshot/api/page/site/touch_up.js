// The mode in which the product is corrected by hand: paint, see what the service makes of it, take it back.

import { Brush } from "./brush.js";
import { find, say } from "./dom.js";
import { t } from "./language.js";

const PAUSE_MS = 350;
/** Shows the photo faintly, and what is kept of it clearly. onChange() after every stroke, undo and redo. */
export class TouchUp {
  #control = null;
  #timer = 0;
  #shown = new Set(); // the strokes that the preview knows

  constructor({ stage, work, previews, onChange }) {
    Object.assign(this, { stage, work, previews, onChange });
    this.brush = new Brush(stage, (stroke) => this.#edit((strokes) => strokes.add(stroke)));
    find("undo").addEventListener("click", () => this.undo());
    find("redo").addEventListener("click", () => this.redo());
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
    this.#preview();
  }

  leave() {
    this.brush.leave(); // may end a stroke, which would ask for a preview
    clearTimeout(this.#timer);
    this.#control?.abort();
    this.#control = null;
    this.#picture("");
    this.#busy("");
    this.photo = null;
  }

  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      if (event.shiftKey) this.redo();
      else this.undo();
      return true;
    }
    return this.brush.key(event);
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
      if (held && button.disabled) this.stage.place.focus(); // a disabled button loses the focus to nowhere
    }
  }

  async #preview() {
    const { photo } = this;
    this.#control?.abort();
    const control = this.#control = new AbortController();
    const drawn = [...photo.strokes.done];
    if (!drawn.length && photo.failure?.problem.slug === "no-foreground") {
      this.#picture("");
      return this.#busy(t("brush.nothing-found"));
    }
    const onWait = (waits) => this.#busy(t(waits ? "state.waiting-service" : "state.working"));
    onWait("");
    try {
      const { url } = await this.previews.get(photo, { signal: control.signal, onWait });
      if (control.signal.aborted) return undefined;
      this.#picture(url);
      this.#shown = new Set(drawn.map((stroke) => stroke.id));
      this.#tint();
      return this.#busy("");
    } catch (error) {
      if (control.signal.aborted) return undefined;
      return this.#busy(error.message);
    }
  }

  #tint() {
    this.brush.show(this.photo.strokes.done.filter((stroke) => !this.#shown.has(stroke.id)));
  }

  #picture(url) {
    const image = find("after").firstElementChild;
    image.hidden = !url;
    if (url) image.src = url;
  }

  #busy(words) {
    find("busy").textContent = words;
    find("busy").hidden = !words;
  }
}
