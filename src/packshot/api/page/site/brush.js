// The brush and the click tool, by pointer, finger or keys. They only collect strokes; the service renders the result.

import { find, say } from "./dom.js";
import { t } from "./language.js";
import { gridOf, unpack } from "./strokes.js";

const COLOURS = { keep: "rgb(16 138 92 / 60%)", remove: "rgb(206 44 32 / 60%)" };
const CLICK_RING_PX = 26;
const CLICKED_WITHIN_PX = 8; // a longer movement is not a click
const STEP_PX = 10;
const LARGE_STEP_PX = 50;

/** onStroke({ tool, brush, radius, points }): called when a stroke ends. The brush size is fixed in screen px. */
export class Brush {
  #stroke = null;
  #tints = new Map(); // of masks, by the stroke's id
  #cursor = null;
  #pending = [];
  tool = {
    start: (point) => this.#down(point),
    move: (point) => this.#to(point),
    end: () => this.#lift(),
    cancel: () => { this.#stroke = null; this.#draw(); },
  };

  constructor(stage, onStroke) {
    Object.assign(this, { stage, onStroke, canvas: find("strokes"), ring: find("ring"), slider: find("brush-size") });
    stage.place.addEventListener("pointermove", (event) => this.active && this.#follow(stage.point(event)));
    stage.place.addEventListener("pointerleave", () => { if (this.active && !this.#cursor) this.ring.hidden = true; });
    stage.addEventListener("move", () => this.active && this.#showCursor());
    this.slider.addEventListener("input", () => this.#showCursor());
    find("paint-tools").addEventListener("change", () => this.#change());
  }

  /** "brush" or "click". */
  get means() {
    return document.querySelector("[name=tool]:checked").value;
  }

  get kind() {
    return document.querySelector("[name=brush]:checked").value;
  }

  get radius() {
    return 3 * 28 ** (this.slider.value / 100) / this.stage.scale;
  }

  enter(size) {
    this.active = true;
    const { width, height, scale } = gridOf(size);
    this.scale = scale;
    this.#tints.clear();
    Object.assign(this.canvas, { width, height, hidden: false });
    this.show([]);
  }

  leave() {
    this.#lift();
    this.active = false;
    this.#cursor = null;
    this.#tints.clear();
    Object.assign(this.canvas, { width: 1, height: 1, hidden: true });
    this.ring.hidden = true;
  }

  /** Tint these strokes, which the picture below does not include yet. */
  show(strokes) {
    this.#pending = strokes;
    this.#draw();
  }

  /** Paint by keys. Returns whether the key was handled. */
  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (steps[event.key]) this.#step(...steps[event.key], event.shiftKey ? LARGE_STEP_PX : STEP_PX);
    else if (event.key === " ") this.#toggle();
    else if (event.key === "Enter") this.#dab();
    else if (event.key === "[" || event.key === "]") this.#resize(event.key === "]" ? 5 : -5);
    else return false;
    return true;
  }

  #down(point) {
    this.#stroke = { tool: this.means, brush: this.kind, radius: this.radius, points: [{ x: point.x, y: point.y }] };
    this.#draw();
    return true;
  }

  #to({ x, y }) {
    if (this.#stroke?.tool === "click") {
      const [start] = this.#stroke.points;
      if (Math.hypot(x - start.x, y - start.y) * this.stage.scale > CLICKED_WITHIN_PX) this.#stroke = null;
    } else {
      this.#stroke?.points.push({ x, y });
    }
    this.#draw();
  }

  #lift() {
    const stroke = this.#stroke;
    this.#stroke = null;
    if (stroke) this.onStroke(stroke);
  }

  #step(dx, dy, px) {
    const { size, scale } = this.stage;
    const from = this.#cursor ?? { x: size.width / 2, y: size.height / 2 };
    const inside = (value, length) => Math.min(length, Math.max(0, value));
    this.#cursor = { x: inside(from.x + dx * px / scale, size.width), y: inside(from.y + dy * px / scale, size.height) };
    if (this.#stroke) this.#to(this.#cursor);
    this.#keepInSight();
    this.#showCursor();
  }

  #change() {
    find("brush-tools").hidden = this.means !== "brush";
    find("click-tools").hidden = this.means !== "click";
    this.#showCursor();
  }

  #toggle() {
    if (this.means === "click") return this.#dab();
    this.#step(0, 0, 0);
    if (this.#stroke) this.#lift();
    else this.#down(this.#cursor);
    return say(t(this.#stroke ? "brush.down" : "brush.up"), find("viewer-said"));
  }

  #dab() {
    this.#step(0, 0, 0);
    if (!this.#stroke) this.#down(this.#cursor);
    this.#lift();
  }

  #resize(by) {
    const slider = this.means === "click" ? find("reach") : this.slider;
    slider.value = Number(slider.value) + by;
    slider.dispatchEvent(new Event("input"));
  }

  #keepInSight() {
    const { stage } = this;
    const [left, top] = [stage.x + this.#cursor.x * stage.scale, stage.y + this.#cursor.y * stage.scale];
    const beyond = (at, room) => Math.max(0, 30 - at) - Math.max(0, at - room + 30);
    const [dx, dy] = [beyond(left, stage.place.clientWidth), beyond(top, stage.place.clientHeight)];
    if (dx || dy) stage.pan(dx, dy);
  }

  #follow(point) {
    this.#cursor = null;
    this.#showRing(point.left, point.top);
  }

  #showCursor() {
    if (this.#cursor) this.#showRing(this.stage.x + this.#cursor.x * this.stage.scale, this.stage.y + this.#cursor.y * this.stage.scale);
    else if (this.active) this.#showRing(Number.parseFloat(this.ring.style.left) || 0, Number.parseFloat(this.ring.style.top) || 0, this.ring.hidden);
  }

  #showRing(left, top, hidden = false) {
    const diameter = `${this.means === "click" ? CLICK_RING_PX : Math.round(2 * this.radius * this.stage.scale)}px`;
    Object.assign(this.ring.style, { left: `${left}px`, top: `${top}px`, width: diameter, height: diameter });
    this.ring.textContent = this.kind === "keep" ? "+" : "\u2212";
    this.ring.hidden = hidden;
  }

  #draw() {
    const context = this.canvas.getContext("2d");
    context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    context.clearRect(0, 0, this.canvas.width / this.scale, this.canvas.height / this.scale);
    Object.assign(context, { lineCap: "round", lineJoin: "round" });
    for (const stroke of [...this.#pending, this.#stroke].filter(Boolean)) {
      const { brush, radius, points } = stroke;
      if (stroke.mask) {
        context.drawImage(this.#tint(stroke), 0, 0, this.canvas.width / this.scale, this.canvas.height / this.scale);
        continue;
      }
      if (stroke.tool === "click") continue; // its area is unknown until it ends
      context.strokeStyle = COLOURS[brush];
      context.lineWidth = 2 * radius;
      context.beginPath();
      context.moveTo(points[0].x, points[0].y);
      for (const { x, y } of points) context.lineTo(x, y);
      context.lineTo(points.at(-1).x + 0.01, points.at(-1).y); // a dab needs a length to be drawn
      context.stroke();
    }
  }
  #tint({ id, brush, mask }) {
    if (!this.#tints.has(id)) this.#tints.set(id, tinted(mask, COLOURS[brush]));
    return this.#tints.get(id);
  }
}

/** A mask as a picture in one colour. */
function tinted(packed, colour) {
  const { width, height } = packed;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  unpack(packed).forEach((on, at) => { pixels.data[4 * at + 3] = 255 * on; });
  context.putImageData(pixels, 0, 0);
  Object.assign(context, { globalCompositeOperation: "source-in", fillStyle: colour });
  context.fillRect(0, 0, width, height);
  return canvas;
}
