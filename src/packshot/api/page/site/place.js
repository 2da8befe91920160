// The mode to move, scale and turn the product in its frame, by pointer, finger or keys.

import { find } from "./dom.js";
import { percent, t } from "./language.js";
import { hugsProduct } from "./looks.js";

const GRIP_PX = 22;
const STEP = 0.01; // share of the frame's longest side
const LARGE_STEP = 0.05;
const LEAST_FILL = 0.05;
const LARGEST_UPSCALE = 4;
const PAUSE_MS = 300;

/**
 * During a change, the page shows the cutout at its new position. Then the service renders the picture.
 * onChange(own, merge): changes parts of a photo's own look. previews: cutouts of photos, see previews.js.
 */
export class Place {
  photo = null;
  #facts = null; // of the picture before the current change
  #live = null; // { dx, dy, grown, turned }: changes since the current picture was made
  #grip = ""; // "move" or "scale", while a pointer holds the product
  #from = null;
  #timer = 0;
  tool = {
    start: (point) => this.#start(point),
    move: (point) => this.#move(point),
    end: () => this.#commit(),
    cancel: () => this.#reset(),
  };

  constructor({ stage, work, previews, offer, onChange }) {
    Object.assign(this, { stage, work, previews, offer, onChange });
    stage.addEventListener("move", () => this.photo && this.#box());
    find("size").addEventListener("input", () => this.#sized());
    find("size").addEventListener("change", () => this.#commit());
    find("straighten").addEventListener("input", () => this.#turned());
    find("straighten").addEventListener("change", () => this.#commit());
    find("turn-left").addEventListener("click", () => this.#quarter(-90));
    find("turn-right").addEventListener("click", () => this.#quarter(90));
    find("place-reset").addEventListener("click", () => this.onChange({ rotate: 0, place: null, max_upscale: null }));
  }

  /** Show a photo or its new picture. A new picture waits until the user releases the mouse and keys, and only the
   *  latest one is shown. */
  enter(photo) {
    if (this.photo === photo && this.#live && (this.#grip || this.#timer || !this.work.isSettled(photo))) return;
    if (this.photo !== photo) find("placing").firstElementChild.removeAttribute("src");
    this.photo = photo;
    this.#facts = photo.result?.facts ?? null;
    this.#reset();
    if (this.#facts) this.previews.get(photo).then((preview) => this.photo === photo && this.#show(preview), () => {});
  }

  leave() {
    this.#flush();
    this.photo = null;
    this.#live = null;
    this.#grip = "";
    find("placing").hidden = true;
    find("handles").hidden = true;
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey || !steps[event.key] || !this.#moves) return false;
    const px = (event.shiftKey ? LARGE_STEP : STEP) * Math.max(this.#facts.width, this.#facts.height);
    const live = this.#begin();
    this.#change({ dx: live.dx + px * steps[event.key][0], dy: live.dy + px * steps[event.key][1] });
    this.#soon();
    return true;
  }

  /** Whether the product can be moved: not in a frame that follows the product. */
  get #moves() {
    return Boolean(this.#facts) && !hugsProduct(this.work.lookOf(this.photo));
  }

  #begin() {
    this.#live ??= { dx: 0, dy: 0, grown: 1, turned: 0 };
    return this.#live;
  }

  #start(point) {
    if (!this.#moves) return false;
    const { left, top, right, bottom } = this.#product();
    const near = (x, y) => Math.hypot(point.x - x, point.y - y) * this.stage.scale < GRIP_PX;
    const corners = [[left, top], [right, top], [left, bottom], [right, bottom]];
    if (corners.some(([x, y]) => near(x, y))) this.#grip = "scale";
    else if (point.x > left && point.x < right && point.y > top && point.y < bottom) this.#grip = "move";
    else return false;
    this.#rest();
    this.#from = { ...point, ...this.#begin(), centre: this.#centre() };
    return true;
  }

  #move(point) {
    const { x, y, dx, dy, grown, centre } = this.#from ?? {};
    if (this.#grip === "move") this.#change({ dx: dx + point.x - x, dy: dy + point.y - y });
    if (this.#grip !== "scale") return;
    const away = (one) => Math.max(1, Math.hypot(one.x - centre.x, one.y - centre.y));
    this.#change({ grown: grown * (away(point) / away({ x, y })) });
  }

  #sized() {
    if (!this.#moves) return;
    this.#begin();
    this.#change({ grown: find("size").value / 100 / this.#fill(1) });
  }

  #turned() {
    if (!this.#facts) return;
    this.#begin();
    const quarters = this.#rotate - fine(this.#rotate);
    this.#change({ turned: wrapped(quarters + Number(find("straighten").value) - this.#facts.rotate) });
  }

  #quarter(by) {
    if (!this.#facts) return;
    this.#change({ turned: wrapped(this.#begin().turned + by) });
    this.#commit();
  }

  #change(news) {
    Object.assign(this.#live, news);
    this.#live.grown = Math.min(1 / this.#fill(1), Math.max(LEAST_FILL / this.#fill(1), this.#live.grown));
    this.#draw();
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  /** Commit after a pause of the keys. Changes soon after it belong to the same step. */
  #soon() {
    this.#rest();
    this.#timer = setTimeout(() => this.#commit("nudge"), PAUSE_MS);
  }

  #flush() {
    this.#rest();
    if (this.#live) this.#commit();
  }

  /** Make the change part of the photo's own look. The shown product stays in place until its picture arrives. */
  #commit(merge = "") {
    this.#rest();
    this.#grip = "";
    const live = this.#live;
    if (!live) return;
    const { dx, dy, grown, turned } = live;
    const own = {};
    if (turned) own.rotate = this.#rotate;
    if (dx || dy || grown !== 1) Object.assign(own, this.#placed());
    this.onChange(own, merge);
    if (this.work.isSettled(this.photo)) this.enter(this.photo);
  }

  #placed() {
    const { width, height } = this.#facts;
    const { left, top, right, bottom } = this.#product();
    const along = (start, room) => (room < 1 ? 0.5 : Math.min(1, Math.max(0, start / room)));
    const place = { fill: this.#fill(this.#live.grown), x: along(left, width - (right - left)), y: along(top, height - (bottom - top)) };
    const scale = this.#scale * this.#live.grown;
    const look = this.work.lookOf(this.photo);
    // In the photo's own frame, a larger product needs enlarging. Other frames adapt to the product.
    const enlarged = !look.preset && !look.frame && scale > 1;
    return enlarged ? { place, max_upscale: Math.min(LARGEST_UPSCALE, Math.max(look.max_upscale ?? 1, Math.ceil(100 * scale) / 100)) } : { place };
  }

  /** The photo's rotation including the current change. */
  get #rotate() {
    return wrapped(this.#facts.rotate + (this.#live?.turned ?? 0));
  }

  /** Output px per px of the photo. */
  get #scale() {
    const { box, product } = this.#facts;
    return Math.max((product.right - product.left) / (box.right - box.left), (product.bottom - product.top) / (box.bottom - box.top));
  }

  #fill(grown) {
    const { product, width, height } = this.#facts;
    return grown * Math.max((product.right - product.left) / width, (product.bottom - product.top) / height);
  }

  /** The product's current rectangle, in px of the picture. */
  #product() {
    const { product } = this.#facts;
    const { dx, dy, grown } = this.#live ?? { dx: 0, dy: 0, grown: 1 };
    const [x, y] = [(product.left + product.right) / 2 + dx, (product.top + product.bottom) / 2 + dy];
    const [across, down] = [grown * (product.right - product.left) / 2, grown * (product.bottom - product.top) / 2];
    return { left: x - across, top: y - down, right: x + across, bottom: y + down };
  }

  #centre() {
    const { left, top, right, bottom } = this.#product();
    return { x: (left + right) / 2, y: (top + bottom) / 2 };
  }

  /** Forget the current change, after a new picture or photo is shown. */
  #reset() {
    this.#rest();
    this.#live = null;
    this.#grip = "";
    find("placing").hidden = true;
    if (!this.#facts) return void (find("handles").hidden = true);
    find("size").value = Math.round(100 * this.#fill(1));
    find("straighten").value = fine(this.#facts.rotate);
    find("size").disabled = !this.#moves;
    find("place-help").textContent = this.#moves ? t("place.help") : t("place.hugs");
    find("place-reset").hidden = !this.photo.own.rotate && !this.photo.own.place;
    this.#words();
    this.#box();
  }

  #words() {
    find("size-value").textContent = percent(find("size").value / 100);
    find("straighten-value").textContent = t("place.degrees", { degrees: Number(find("straighten").value) });
  }

  #show({ url, size }) {
    const image = find("placing").firstElementChild;
    if (image.src !== url) image.src = url;
    Object.assign(image.style, { width: `${size.width}px`, height: `${size.height}px` });
    if (this.#live) this.#draw();
  }

  #draw() {
    const { photo, box, product } = this.#facts;
    const { dx, dy, grown, turned } = this.#live;
    const [scale, centre] = [this.#scale, { x: (product.left + product.right) / 2, y: (product.top + product.bottom) / 2 }];
    // The photo's centre relative to the product's centre, around which both turn and grow.
    const [x, y] = [scale * (photo.width / 2 - (box.left + box.right) / 2), scale * (photo.height / 2 - (box.top + box.bottom) / 2)];
    const angle = (turned * Math.PI) / 180;
    const left = centre.x + dx + grown * (x * Math.cos(angle) - y * Math.sin(angle));
    const top = centre.y + dy + grown * (x * Math.sin(angle) + y * Math.cos(angle));
    const image = find("placing").firstElementChild;
    const { width, height } = image.style;
    image.style.transform = `translate(${left}px, ${top}px) rotate(${this.#rotate}deg) scale(${scale * grown}) `
      + `translate(calc(${width || "0px"} / -2), calc(${height || "0px"} / -2))`;
    find("placing").style.background = this.#ground();
    find("placing").hidden = !image.src;
    find("size").value = Math.round(100 * this.#fill(grown));
    find("straighten").value = fine(this.#rotate);
    this.#words();
    this.#box();
  }

  /** The background colour, if the background is a colour. */
  #ground() {
    const look = this.work.lookOf(this.photo);
    const asked = look.background || this.offer.presets.find(({ name }) => name === this.photo.result?.preset)?.options.background;
    if (asked === "colour") return look.colour;
    return asked && !["transparent", "picture", "blur"].includes(asked) ? asked : "";
  }

  /** The frame around the product, with its grips, in px of the screen. */
  #box() {
    const handles = find("handles");
    handles.hidden = !this.#moves;
    if (handles.hidden) return;
    const { left, top, right, bottom } = this.#product();
    const { x, y, scale } = this.stage;
    Object.assign(handles.style, { left: `${x + scale * left}px`, top: `${y + scale * top}px`, width: `${scale * (right - left)}px`,
      height: `${scale * (bottom - top)}px`, rotate: `${this.#live?.turned ?? 0}deg` });
  }
}

/** Degrees in (-180, 180]. */
const wrapped = (degrees) => Math.round(10 * (((degrees + 540) % 360) - 180 || 0)) / 10 || 0;

/** A rotation without its quarter turns, in [-45, 45): the slider's value. */
const fine = (degrees) => Math.round(10 * (degrees - 90 * Math.round(degrees / 90))) / 10 || 0;
