// One photo at full size: compare before and after, touch up, go to the next.

import { Compare } from "./compare.js";
import { find, say } from "./dom.js";
import { facts } from "./facts.js";
import { percent, t } from "./language.js";
import { stateOf } from "./list.js";
import { Stage } from "./stage.js";
import { TouchUp } from "./touch_up.js";

/** onClosed(photo): the dialog closed while it showed this photo. */
export class Viewer {
  photo = null;
  #mode = "compare";
  #drawn = "";

  constructor({ photos, work, onClosed }) {
    Object.assign(this, { photos, work, onClosed, dialog: find("viewer") });
    this.stage = new Stage(find("stage"), find("world"));
    this.compare = new Compare(this.stage);
    this.touchUp = new TouchUp({ stage: this.stage, work, onChange: () => this.#painted() });
    this.#listen();
  }

  async open(photo, mode = "compare") {
    if (!this.dialog.open) this.dialog.showModal();
    await this.#show(photo, mode);
    find("viewer-name").focus();
  }

  /** Something about a photo, or about many, is new. */
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

  // A browser need not know every kind of picture that the service reads and writes.
  #cannotShow(image) {
    image.hidden = true;
    const before = image.parentElement.id === "before";
    find(before ? "tag-before" : "tag-after").textContent = t(before ? "viewer.before-hidden" : "viewer.after-hidden");
  }

  async #show(photo, mode) {
    this.#leavePaint();
    this.photo = photo;
    this.work.first = photo;
    const image = find("before").firstElementChild;
    image.hidden = false;
    find("tag-before").textContent = t("viewer.before");
    image.src = photo.url;
    photo.size ??= await sizeOf(image);
    if (this.photo !== photo || !this.dialog.open) return;
    this.#mode = mode === "paint" && photo.size ? "paint" : "compare";
    if (this.#mode === "paint") this.work.held = photo;
    this.dialog.querySelector(`[name=mode][value=${this.#mode}]`).checked = true;
    this.#draw(false);
  }

  #draw(keep) {
    const { photo } = this;
    const paints = this.#mode === "paint";
    this.#drawn = this.#news();
    find("viewer-name").textContent = photo.name;
    const at = this.photos.all.indexOf(photo);
    find("previous").disabled = at === 0;
    find("next").disabled = at === this.photos.all.length - 1;
    find("stage-help").textContent = t(paints ? "viewer.help-paint" : "viewer.help-compare");
    this.dialog.classList.toggle("painting", paints);
    for (const [name, hidden] of [["paint-tools", !paints], ["compare-tools", paints || !photo.result],
      ["tag-paint", !paints], ["divider", paints || !photo.result], ["tag-before", paints || !photo.result], ["tag-after", paints || !photo.result]]) {
      find(name).hidden = hidden;
    }
    find("stage").setAttribute("aria-label", t(paints ? "viewer.stage-paint" : "viewer.stage-compare", { name: photo.name }));
    this.dialog.querySelector("[value=paint]").disabled = !photo.size;
    this.#facts();
    if (paints) { if (!keep) this.touchUp.enter(photo); } else this.#compare(keep);
    this.stage.tool = paints ? this.touchUp.tool : this.compare.tool;
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
    this.compare.enter(this.photo, keep);
    this.#state();
  }

  #facts() {
    const held = find("facts").contains(document.activeElement);
    find("after").hidden = false;
    find("facts").replaceChildren(...facts(this.photo, {
      onLooked: () => { this.photo.looked = true; this.photos.changed(this.photo); },
      onRetry: () => this.work.retry(this.photo),
    }));
    if (held) (find("facts").querySelector("button.strong") ?? find("viewer-name")).focus();
  }

  /** What is going on, over the picture. */
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
    return [photo.id, photo.result?.key, photo.failure?.problem.message, photo.looked, this.photos.all.length].join("|");
  }

  #painted() {
    this.photo.looked = true;
    this.photos.changed(this.photo);
  }

  #go(by) {
    const to = this.photos.all[this.photos.all.indexOf(this.photo) + by];
    if (!to) return;
    this.#show(to, this.#mode);
    say(to.name, find("viewer-said"));
    const button = find(by < 0 ? "previous" : "next");
    if (button.disabled) find("viewer-name").focus();
  }

  #key(event) {
    const paints = this.#mode === "paint";
    if ((paints && this.touchUp.key(event)) || this.stage.key(event)) event.preventDefault();
  }

  #anywhere(event) {
    if (event.defaultPrevented || event.target.id === "stage") return;
    if (this.#mode === "paint" && (event.ctrlKey || event.metaKey) && this.touchUp.key(event)) event.preventDefault();
  }

  #leavePaint() {
    if (!this.work.held) return;
    this.touchUp.leave();
    this.work.held = null;
    this.work.pump();
    this.photos.changed(this.photo);
  }

  #closed() {
    const { photo } = this;
    this.#leavePaint();
    this.photo = null;
    this.work.first = null;
    for (const image of this.dialog.querySelectorAll(".layer img")) image.removeAttribute("src");
    this.onClosed(photo);
  }
}

/** The size of a photo as the browser shows it, or null when it cannot. */
async function sizeOf(image) {
  try {
    await image.decode();
    return { width: image.naturalWidth, height: image.naturalHeight };
  } catch {
    return null;
  }
}
