// The strokes painted on a photo, with undo, and the gray picture that the service reads.

import { grayPng } from "./gray_png.js";

export const AS_FOUND = 128;
const LEVELS = { keep: 255, remove: 0 };
const LONGEST_PX = 1500;
let made = 0;

/**
 * Strokes of one photo. A stroke: { id, tool: "brush" | "click", brush: "keep" | "remove", radius, points: [{x, y}], mask }.
 * Lengths are in px of the photo. mask: the covered area from pack(), for clicks and strokes that snap to edges.
 */
export class Strokes {
  done = [];
  undone = [];

  /** Restore strokes from a `state`. */
  static from({ done, undone }) {
    const strokes = new Strokes();
    Object.assign(strokes, { done: [...done], undone: [...undone] });
    for (const { id } of [...done, ...undone]) made = Math.max(made, id); // ids stay unique
    return strokes;
  }

  /** The strokes as plain data, which can be cloned and stored as JSON. */
  get state() {
    return { done: [...this.done], undone: [...this.undone] };
  }

  add(stroke) {
    made += 1;
    this.done.push({ ...stroke, id: made });
    this.undone = [];
  }

  undo() {
    if (this.done.length) this.undone.push(this.done.pop());
  }

  redo() {
    if (this.undone.length) this.done.push(this.undone.pop());
  }

  /** A key for the current painting. It changes with the painting. */
  get key() {
    return this.done.map((stroke) => stroke.id).join(".");
  }

  /** The file part `touch_up` for a photo of this size, or null if nothing is painted. */
  async file(size) {
    if (!this.done.length) return null;
    const { width, height, scale } = gridOf(size);
    return grayPng(paint(this.done, scale, width, height), width, height);
  }
}

/** The size of the painting grid, and its scale relative to the photo. */
export function gridOf({ width, height }, longestPx = LONGEST_PX) {
  const scale = Math.min(1, longestPx / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)), scale };
}

/** Render strokes to gray levels, Uint8Array of width * height: 255 keep, 0 remove, 128 untouched. Edges are one pixel soft. */
export function paint(strokes, scale, width, height) {
  const gray = new Uint8Array(width * height).fill(AS_FOUND);
  for (const { brush, radius, points, mask } of strokes) {
    const { cover, box } = mask ? coverOf(mask, width, height) : disc({ points, radius }, scale, width, height);
    lay(gray, width, cover, box, LEVELS[brush]);
  }
  return gray;
}

/** The trace of a brush stroke for snap(): { painted: 1 for each covered pixel, line: indices of the pixels under its centre }. */
export function traceOf({ points, radius }, scale, width, height) {
  const { cover, box } = disc({ points, radius }, scale, width, height);
  const painted = new Uint8Array(width * height);
  each(box, width, (to, from) => { painted[to] = cover[from] >= 0.5 ? 1 : 0; });
  const inside = (value, length) => Math.max(0, Math.min(length - 1, Math.floor(value)));
  const line = new Set();
  points.forEach((end, index) => {
    const start = points[Math.max(0, index - 1)];
    const steps = Math.max(1, Math.ceil(Math.hypot(end.x - start.x, end.y - start.y) * scale));
    for (let step = 0; step <= steps; step += 1) {
      const [x, y] = ["x", "y"].map((axis) => (start[axis] + (end[axis] - start[axis]) * step / steps) * scale);
      line.add(inside(y, height) * width + inside(x, width));
    }
  });
  return { painted, line: [...line] };
}

/** Compress a mask, Uint8Array of width * height, to plain data: its box, and in it the lengths of runs of 0, 1, 0, ... */
export function pack(mask, width, height) {
  const box = { left: width, top: height, right: -1, bottom: -1 };
  for (let at = mask.indexOf(1); at !== -1; at = mask.indexOf(1, at + 1)) {
    const [x, y] = [at % width, Math.floor(at / width)];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = y;
  }
  const runs = [0];
  let last = 0;
  each(box, width, (at) => {
    if (mask[at] !== last) { runs.push(0); last = mask[at]; }
    runs[runs.length - 1] += 1;
  });
  return { width, height, ...box, runs };
}

/** Restore a packed mask at its original size. */
export function unpack({ width, height, left, top, right, bottom, runs }) {
  const mask = new Uint8Array(width * height);
  const across = right - left + 1;
  const all = across * (bottom - top + 1);
  let at = 0;
  runs.forEach((length, index) => {
    const end = Math.min(all, at + length);
    if (index % 2) for (let i = at; i < end; i += 1) mask[(top + Math.floor(i / across)) * width + left + i % across] = 1;
    at = end;
  });
  return mask;
}

/** The coverage of each pixel by a mask. Its soft rim is inside the mask, so that pixels outside do not change. */
function coverOf(packed, width, height) {
  const mask = unpack(packed);
  const [across, down] = [packed.width / width, packed.height / height];
  const on = (x, y) => {
    const u = Math.min(packed.width - 1, Math.max(0, Math.floor((x + 0.5) * across)));
    const v = Math.min(packed.height - 1, Math.max(0, Math.floor((y + 0.5) * down)));
    return mask[v * packed.width + u];
  };
  const box = {
    left: Math.floor(packed.left / across), right: Math.min(width - 1, Math.ceil((packed.right + 1) / across)),
    top: Math.floor(packed.top / down), bottom: Math.min(height - 1, Math.ceil((packed.bottom + 1) / down)),
  };
  const cover = new Float32Array(area(box));
  each(box, width, (to, from) => {
    const [x, y] = [to % width, Math.floor(to / width)];
    if (on(x, y)) cover[from] = (2 + on(x - 1, y) + on(x + 1, y) + on(x, y - 1) + on(x, y + 1)) / 6;
  });
  return { cover, box };
}

/** The coverage of each pixel by a brush stroke. The rim counts once, even if the stroke crosses itself. */
function disc({ points, radius }, scale, width, height) {
  const at = points.map(({ x, y }) => ({ x: x * scale - 0.5, y: y * scale - 0.5 })); // pixel centres are at halves
  const reach = Math.max(0.5, radius * scale);
  const box = around(at, reach + 1, width, height);
  const cover = new Float32Array(area(box));
  at.forEach((end, index) => line(cover, box, at[Math.max(0, index - 1)], end, reach));
  return { cover, box };
}

function lay(gray, width, cover, box, level) {
  each(box, width, (to, from) => {
    if (cover[from]) gray[to] = Math.round(gray[to] + cover[from] * (level - gray[to]));
  });
}

function area({ left, top, right, bottom }) {
  return Math.max(0, right - left + 1) * Math.max(0, bottom - top + 1);
}

/** Call visit(index in the picture, index in the box) for each pixel of a box. */
function each({ left, top, right, bottom }, width, visit) {
  for (let y = top, from = 0; y <= bottom; y += 1) {
    for (let x = left; x <= right; x += 1, from += 1) visit(y * width + x, from);
  }
}

/** Update the maximum coverage of each pixel of `box` with a line with round ends. */
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

/** The box of whole pixels within `reach` of points, clipped to the picture. */
function around(points, reach, width, height, { left = 0, top = 0 } = {}) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  return {
    left: Math.max(left, Math.floor(Math.min(...xs) - reach)), right: Math.min(width - 1, Math.ceil(Math.max(...xs) + reach)),
    top: Math.max(top, Math.floor(Math.min(...ys) - reach)), bottom: Math.min(height - 1, Math.ceil(Math.max(...ys) + reach)),
  };
}
