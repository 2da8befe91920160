// Before and after, exactly aligned, also if the picture has another frame than the photo.

import { find } from "./dom.js";
import { t } from "./language.js";

const GRIP_PX = 28;

/** The mode with a divider that moves over both pictures. */
export class Compare {
  split = 0.5;
  #dragging = false;
  tool = {
    start: (point) => this.#start(point),
    move: (point) => this.#moveTo(point.left / this.stage.place.clientWidth),
    end: () => { this.#dragging = false; },
    cancel: () => { this.#dragging = false; },
  };

  constructor(stage) {
    this.stage = stage;
    this.slider = find("split");
    this.slider.addEventListener("input", () => this.#moveTo(this.slider.value / 100));
    stage.addEventListener("move", () => this.draw());
  }

  enter(photo, keep) {
    this.photo = photo;
    const facts = photo.result?.facts ?? null;
    this.stage.show(facts ?? photo.size ?? { width: 1, height: 1 }, keep);
    place(find("before").firstElementChild, photo);
    this.draw();
  }

  draw() {
    if (find("divider").hidden) return;
    const { place: { clientWidth }, x, scale, size } = this.stage;
    const cut = Math.min(size.width, Math.max(0, (this.split * clientWidth - x) / scale));
    find("before").style.clipPath = `inset(0 ${size.width - cut}px 0 0)`;
    find("after").style.clipPath = `inset(0 0 0 ${cut}px)`;
    find("divider").style.left = `${this.split * clientWidth}px`;
    find("tag-before").hidden = this.split < 0.12;
    find("tag-after").hidden = this.split > 0.88;
    this.slider.setAttribute("aria-valuetext", t("compare.value", { before_share: this.split, after_share: 1 - this.split }));
  }

  #start(point) {
    this.#dragging = Math.abs(point.left - this.split * this.stage.place.clientWidth) < GRIP_PX;
    return this.#dragging;
  }

  #moveTo(split) {
    this.split = Math.min(1, Math.max(0, split));
    this.slider.value = Math.round(100 * this.split);
    this.draw();
  }
}

/** Rotate the photo like the picture, and place it so that their products align. */
function place(image, photo) {
  const facts = photo.result?.facts;
  const size = photo.size ?? facts?.photo;
  if (!size) return;
  const across = (box) => box.right - box.left;
  const down = (box) => box.bottom - box.top;
  const { box, product } = facts ?? {};
  const known = box && product && across(box) > 0 && down(box) > 0;
  const [x, y] = known ? [across(product) / across(box), down(product) / down(box)] : [1, 1];
  const turned = known ? facts.photo : size;
  // `photo` and `box` are those of the turned photo, which has the same centre.
  const [left, top] = known ? [product.left - box.left * x, product.top - box.top * y] : [0, 0];
  const [width, height] = [size.width * x, size.height * y];
  Object.assign(image.style, { width: `${width}px`, height: `${height}px`, left: `${left + (turned.width * x - width) / 2}px`,
    top: `${top + (turned.height * y - height) / 2}px`, rotate: facts?.rotate ? `${facts.rotate}deg` : "" });
}
