// One photo at full size: compare before and after, place, touch up, and go to the next photo.

import { neighbour, showChips } from "./chips.js";
import { Compare } from "./compare.js";
import { find, say } from "./dom.js";
import { facts, more } from "./facts.js";
import { percent, t } from "./language.js";
import { stateOf } from "./list.js";
import { PLAIN_OWN } from "./looks.js";
import { Own } from "./own.js";
import { Place } from "./place.js";
import { Previews } from "./previews.js";
import { enlargement, verdictText } from "./report.js";
import { Stage } from "./stage.js";
import { TouchUp } from "./touch_up.js";

const LOOKED_MS = 1200; // a picture counts as looked at after this time in view
const MODES = ["compare", "place", "paint"];

/**
 * changeOwn(photo, own, merge): changes parts of a photo's own look. onSave(photo, { each }): downloads the shown picture,
 * or with `each` all its pictures. onClosed(photo): called when the dialog closes on this photo.
 */
export class Viewer {
  photo = null;
  #mode = "compare";
  #drawn = "";
  #looking = 0;
  #strokes = 0; // the newest stroke in the history

  constructor({ photos, work, offer, history, changeOwn, onSave, onClosed }) {
    Object.assign(this, { photos, work, offer, history, onSave, onClosed, dialog: find("viewer") });
    const previews = new Previews({ work });
    const onChange = (own, merge) => changeOwn(this.photo, own, merge);
    this.stage = new Stage(find("stage"), find("world"));
    this.compare = new Compare(this.stage);
    this.place = new Place({ stage: this.stage, work, previews, offer, onChange });
    this.touchUp = new TouchUp({ stage: this.stage, previews, onChange: () => this.#painted() });
    const own = () => Object.fromEntries(Object.keys(this.photo.own).map((name) => [name, PLAIN_OWN[name]]));
    this.own = new Own({ offer, work, onChange, onReset: () => onChange(own()), onName: (name) => this.#rename(name) });
    this.#listen();
  }

  async open(photo, mode = "compare") {
    if (!this.dialog.open) this.dialog.showModal();
    await this.#show(photo, mode);
    find("viewer-name").focus();
  }

  /** Update the view after a change of a photo, or of many (without an argument). */
  update(photo) {
    if (!this.photo || (photo && photo !== this.photo)) return;
    if (!this.photos.all.includes(this.photo)) this.dialog.close();
    else if (this.#news() !== this.#drawn) this.#draw(true);
    else this.#state();
  }

  #listen() {
    find("close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.#closed());
    find("previous").addEventListener("click", () => this.#go(-1));
    find("next").addEventListener("click", () => this.#go(1));
    find("modes").addEventListener("change", (event) => this.#show(this.photo, event.target.value));
    find("zoom-in").addEventListener("click", () => this.stage.zoom(1.25));
    find("zoom-out").addEventListener("click", () => this.stage.zoom(0.8));
    find("zoom-fit").addEventListener("click", () => this.stage.fit());
    find("zoom-full").addEventListener("click", () => this.stage.full());
    this.stage.addEventListener("move", () => { find("zoom").textContent = percent(this.stage.scale * devicePixelRatio); });
    find("stage").addEventListener("keydown", (event) => this.#key(event));
    this.dialog.addEventListener("keydown", (event) => this.#anywhere(event));
    for (const image of this.dialog.querySelectorAll(".layer img")) {
      image.addEventListener("error", () => this.#cannotShow(image));
    }
  }

  // Browsers do not support every picture format that the service reads and writes.
  #cannotShow(image) {
    image.hidden = true;
    const before = image.parentElement.id === "before";
    find(before ? "tag-before" : "tag-after").textContent = t(before ? "viewer.before-hidden" : "viewer.after-hidden");
  }

  async #show(photo, mode) {
    this.#leaveMode();
    this.photo = photo;
    this.work.first = photo;
    const image = find("before").firstElementChild;
    image.hidden = false;
    find("tag-before").textContent = t("viewer.before");
    image.src = photo.url;
    photo.size ??= await sizeOf(image);
    if (this.photo !== photo || !this.dialog.open) return;
    this.#mode = (mode === "paint" && photo.size) || (mode === "place" && photo.result) ? mode : "compare";
    if (this.#mode === "paint") this.work.held = photo;
    this.dialog.querySelector(`[name=mode][value=${this.#mode}]`).checked = true;
    this.#draw(false);
  }

  #draw(keep) {
    const { photo } = this;
    const [compares, places, paints] = MODES.map((mode) => this.#mode === mode);
    this.#drawn = this.#news();
    find("viewer-name").textContent = photo.name;
    const at = this.photos.all.indexOf(photo);
    find("previous").disabled = at === 0;
    find("next").disabled = at === this.photos.all.length - 1;
    find("stage-help").textContent = t(`viewer.help-${this.#mode}`);
    this.dialog.classList.toggle("painting", paints);
    this.dialog.classList.toggle("placing", places);
    const halves = compares && photo.result;
    for (const [name, shown] of [["paint-tools", paints], ["place-tools", places], ["compare-tools", halves], ["tag-paint", paints],
      ["divider", halves], ["tag-before", halves], ["tag-after", halves], ["before", !places]]) {
      find(name).hidden = !shown;
    }
    find("stage").setAttribute("aria-label", t(`viewer.stage-${this.#mode}`, { name: photo.name }));
    this.dialog.querySelector("[value=paint]").disabled = !photo.size;
    this.dialog.querySelector("[value=place]").disabled = !photo.result;
    this.#facts();
    showChips(find("pictures"), photo.failure || paints ? null : photo, (preset) => this.#showPicture(preset));
    this.own.show(photo);
    if (paints) { if (!keep) this.touchUp.enter(photo); } else this.#compare(keep);
    if (places) this.place.enter(photo);
    this.stage.tool = { compare: this.compare, place: this.place, paint: this.touchUp }[this.#mode].tool;
    this.#look();
  }

  /** Mark the photo as looked at, once its current picture has been in view. */
  #look() {
    const { photo } = this;
    clearTimeout(this.#looking);
    if (this.#mode === "paint" || !photo.isMade || photo.looked || !this.work.isDone(photo)) return;
    this.#looking = setTimeout(() => {
      if (this.photo !== photo || !this.work.isDone(photo) || document.hidden) return;
      photo.lookedAt = photo.strokes.key;
      this.photos.changed(photo);
    }, LOOKED_MS);
  }

  #rename(name) {
    const { photo } = this;
    const [before, after] = [photo.given, name === photo.title ? photo.given : name];
    if (before === after) return;
    const set = (given) => { photo.given = given; this.photos.changed(photo); };
    this.history.did({ photo, words: t("history.renamed", { name: photo.name }), undo: () => set(before), redo: () => set(after) });
    set(after);
  }

  #compare(keep) {
    const image = find("after").firstElementChild;
    const { result } = this.photo;
    if (!result) image.removeAttribute("src");
    else if (image.src !== result.url) {
      image.hidden = false;
      find("tag-after").textContent = t("viewer.after");
      image.src = result.url;
    }
    find("after").hidden = !result;
    if (!result) find("before").style.clipPath = "";
    if (this.#mode === "place") find("after").style.clipPath = "";
    this.compare.enter(this.photo, keep);
    this.#state();
  }

  #facts() {
    const held = find("facts").contains(document.activeElement);
    find("after").hidden = false;
    find("facts").replaceChildren(...facts(this.photo, {
      onSave: (how) => this.onSave(this.photo, how),
      onRetry: () => this.work.retry(this.photo),
      onEnlarge: () => this.own.onChange({ max_upscale: enlargement(this.photo) }),
    }));
    find("more").replaceChildren(...more(this.photo, this.offer));
    if (held) (find("facts").querySelector("button.strong") ?? find("viewer-name")).focus();
  }

  /** Show the progress over the picture. */
  #state() {
    if (this.#mode === "paint") return;
    const settled = this.work.isSettled(this.photo);
    const words = settled ? "" : stateOf(this.photo, false, this.work.stopped);
    find("world").hidden = !this.photo.size;
    find("busy").textContent = this.photo.size ? words : t("viewer.hidden");
    find("busy").hidden = !find("busy").textContent;
  }

  #news() {
    const { photo } = this;
    return [photo.id, photo.result?.key, photo.results.map(({ key }) => key).join(), photo.failure?.problem.message, photo.looked, photo.given, JSON.stringify(photo.own), this.photos.all.length].join("|");
  }

  /** Add a new stroke to the page's history. */
  #painted() {
    const { photo } = this;
    const { done } = photo.strokes;
    const id = done.at(-1)?.id ?? 0;
    if (id > this.#strokes) {
      this.#strokes = id;
      const act = (name) => () => { photo.strokes[name](); this.photos.changed(photo); };
      const next = { undo: () => photo.strokes.done.at(-1), redo: () => photo.strokes.undone.at(-1) };
      this.history.did({ photo, words: t("history.stroke", { name: photo.name }), undo: act("undo"), redo: act("redo"), can: (name) => next[name]()?.id === id });
    }
    this.photos.changed(photo);
  }

  #go(by) {
    const to = this.photos.all[this.photos.all.indexOf(this.photo) + by];
    if (!to) return;
    if (to.results.some(({ preset }) => preset === this.photo.result?.preset)) to.shown = this.photo.result.preset;
    const button = find(by < 0 ? "previous" : "next");
    const held = document.activeElement === button;
    this.#show(to, this.#mode);
    say(to.name, find("viewer-said"));
    if (held && button.disabled) find("viewer-name").focus();
  }

  #key(event) {
    const tool = { place: this.place, paint: this.touchUp }[this.#mode];
    if (tool?.key(event) || ((event.ctrlKey || event.metaKey) && this.#undoes(event)) || this.#turns(event) || this.stage.key(event)) event.preventDefault();
  }

  /** Left and right change the photo, up and down the marketplace, unless another control uses these keys. */
  #turns(event) {
    const [across, down] = [{ ArrowLeft: -1, ArrowRight: 1 }[event.key], { ArrowUp: -1, ArrowDown: 1 }[event.key]];
    if (this.#mode !== "compare" || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (down && this.photo.isSeveral) this.#showPicture(neighbour(this.photo, down));
    else if (across) this.#go(across);
    else return false;
    return true;
  }

  #showPicture(preset) {
    if (preset === null) return;
    const { photo } = this;
    photo.shown = preset;
    this.photos.changed(photo);
    say(verdictText(photo.result.facts.preset, photo.needsLook), find("viewer-said"));
  }

  #anywhere(event) {
    if (event.defaultPrevented || event.target.id === "stage") return;
    const types = event.target.matches("input[type=text]");
    if (!event.target.matches("input, select, summary") && this.#turns(event)) event.preventDefault();
    if ((event.ctrlKey || event.metaKey) && !types && this.#undoes(event)) event.preventDefault();
  }

  #undoes(event) {
    if (this.#mode === "paint") return this.touchUp.key(event);
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return false;
    const back = key === "z" && !event.shiftKey;
    const step = back ? this.history.undo(this.photo) : this.history.redo(this.photo);
    if (step) say(t(back ? "history.undone" : "history.redone", { words: step.words }), find("viewer-said"));
    return true;
  }

  #leaveMode() {
    clearTimeout(this.#looking);
    if (this.#mode === "place" && this.photo) this.place.leave();
    if (!this.work.held) return;
    this.touchUp.leave();
    this.work.held = null;
    this.work.pump();
    this.photos.changed(this.photo);
  }

  #closed() {
    const { photo } = this;
    this.#leaveMode();
    this.own.hide();
    showChips(find("pictures"), null);
    this.photo = null;
    this.work.first = null;
    for (const image of this.dialog.querySelectorAll(".layer img")) image.removeAttribute("src");
    this.onClosed(photo);
  }
}

/** The size of a photo as the browser shows it, or null if it cannot. */
async function sizeOf(image) {
  try {
    await image.decode();
    return { width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    return null;
  }
}
