// What was painted on a photo: strokes that can be taken back, and the gray picture that the service reads.

import { grayPng } from "./gray_png.js";

export const AS_FOUND = 128;
const LEVELS = { keep: 255, remove: 0 };
const LONGEST_PX = 1500;
let made = 0;

/** Strokes of one photo. A stroke: { id, brush: "keep" | "remove", radius, points: [{x, y}] }, in px of the photo. */
export class Strokes {
  done = [];
  undone = [];

  add(stroke) {
    made += 1;
    this.done.push({ id: made, ...stroke });
    this.undone = [];
  }

  undo() {
    if (this.done.length) this.undone.push(this.done.pop());
  }

  redo() {
    if (this.undone.length) this.done.push(this.undone.pop());
  }

  get state() { return this.done; }
  static from(state) { const strokes = new Strokes(); strokes.done = state ?? []; return strokes; }

  /** A name for what is painted now: another painting, another name. */
  get key() {
    return this.done.map((stroke) => stroke.id).join(".");
  }

  /** The file part `touch_up` for a photo of this size, or null when nothing is painted. */
  async file({ width, height }) {
    if (!this.done.length) return null;
    const scale = Math.min(1, LONGEST_PX / Math.max(width, height));
    const size = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    return grayPng(paint(this.done, scale, ...size), ...size);
  }
}

/** Gray levels of strokes, Uint8Array of width * height: 255 keep, 0 remove, 128 untouched, with a rim of one pixel. */
export function paint(strokes, scale, width, height) {
  const gray = new Uint8Array(width * height).fill(AS_FOUND);
  for (const { brush, radius, points } of strokes) {
    const at = points.map(({ x, y }) => ({ x: x * scale - 0.5, y: y * scale - 0.5 })); // pixel centres lie at halves
    lay(gray, width, height, { points: at, radius: Math.max(0.5, radius * scale), level: LEVELS[brush] });
  }
  return gray;
}

/** One stroke. Its rim is laid on once, however often it crosses itself. */
function lay(gray, width, height, { points, radius, level }) {
  const box = around(points, radius + 1, width, height);
  const cover = new Float32Array(Math.max(0, box.right - box.left + 1) * Math.max(0, box.bottom - box.top + 1));
  points.forEach((end, index) => line(cover, box, points[Math.max(0, index - 1)], end, radius));
  let from = 0;
  for (let y = box.top; y <= box.bottom; y += 1) {
    for (let x = box.left; x <= box.right; x += 1, from += 1) {
      const to = y * width + x;
      if (cover[from]) gray[to] = Math.round(gray[to] + cover[from] * (level - gray[to]));
    }
  }
}

/** The largest cover so far of each pixel of `box` by a line with round ends. */
function line(cover, box, start, end, radius) {
  const [dx, dy] = [end.x - start.x, end.y - start.y];
  const length2 = dx * dx + dy * dy;
  const near = around([start, end], radius + 1, box.right + 1, box.bottom + 1, box);
  for (let y = near.top; y <= near.bottom; y += 1) {
    for (let x = near.left; x <= near.right; x += 1) {
      const along = length2 ? Math.min(1, Math.max(0, ((x - start.x) * dx + (y - start.y) * dy) / length2)) : 0;
      const distance = Math.hypot(x - start.x - along * dx, y - start.y - along * dy);
      const share = Math.min(1, Math.max(0, radius + 0.5 - distance));
      const index = (y - box.top) * (box.right - box.left + 1) + x - box.left;
      if (share > cover[index]) cover[index] = share;
    }
  }
}

/** The whole pixels within `reach` of points, inside the picture. */
function around(points, reach, width, height, { left = 0, top = 0 } = {}) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  return {
    left: Math.max(left, Math.floor(Math.min(...xs) - reach)), right: Math.min(width - 1, Math.ceil(Math.max(...xs) + reach)),
    top: Math.max(top, Math.floor(Math.min(...ys) - reach)), bottom: Math.min(height - 1, Math.ceil(Math.max(...ys) + reach)),
  };
}
