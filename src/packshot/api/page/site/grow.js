// Region growing: the region that a click selects, and the relevant part of a rough stroke. Arrays in, arrays out.

// Weights of the colour distance, in hundredths of OKLab. Lightness counts less: within an object it varies more than hue.
const LIGHTNESS = 0.55;
const CHROMA = 1.6;
const PRECISION = 16; // steps per hundredth in the planes
const LEVELS = 255;
const FURTHEST = 24; // the distance of the last level
const PER_STEP = LEVELS / FURTHEST / PRECISION;
const EDGE = 0.3; // weight of the colour change across a pixel, relative to its distance from the clicked colour
const SNAP_EDGE = 0.5; // ... or from the colour under a stroke
const NEAR = 0.004; // radius around a click that is sampled, as a share of the longest side
const BINS = 24; // of a palette, per axis
const ROOTS = 2 ** 16; // size of the table of cube roots: computing three roots for each of two million pixels was the slowest step

// Tuned with one click at the middle of the largest mistake in 160 mattes; chosen on one half of them.
const LEAST = 8; // allowed distance from the clicked colour in an even area ...
const TEXTURE = 2; // ... plus this for each unit of texture
const MOST = 16;
const ALIKE = 0.6; // weight of how often a colour occurs in the kept and in the removed area
const CORE = 0.002; // share of the picture: a smaller region may grow in leaps
const LEAP = 1.8; // a larger region has leaked if it grows by this factor, and by LEAST_LEAP of the picture, within LEAP_LEVELS
const LEAST_LEAP = 0.01;
const LEAP_LEVELS = 11;
const GRAIN = 3; // within this distance of the clicked colour, plus its texture once, no growth counts as a leak
const ISLAND = 0.3; // share of the kept area: a smaller separate part is removed as a whole
const SETTLED = 25; // levels of alpha: a pixel this close to the click's target is done

const SNAP = { least: 5, texture: 2.5, most: 12 };

/** The colours of a picture, prepared for growing. rgba: 4 * width * height levels. Transparent pixels count with their RGB. */
export class Look {
  constructor(rgba, width, height) {
    Object.assign(this, { width, height });
    this.planes = oklab(rgba).map((plane) => smooth(plane, width, height));
    this.edges = edges(this.planes, width, height);
    this.bins = bins(this.planes);
  }
}

/**
 * The region that a click selects: a mask, Uint8Array of width * height, or null if nothing would change.
 *
 * alpha: the current matte, 0 to 255 for each pixel, or null if unknown. keep: whether the click keeps or removes.
 * reach: 1 for the estimated extent; 0.25 to 4 for less or more.
 */
export function grow(look, alpha, { x, y }, keep, reach = 1) {
  const { width, height } = look;
  const seed = y * width + x;
  const allowed = open(width * height, alpha, keep);
  if (!allowed[seed]) return null;
  if (alpha && !keep && reach >= 1) {
    const island = islandAt(alpha, width, height, seed);
    if (island) return island;
  }
  const { mean, spread } = colourAt(look, x, y, Math.max(2, Math.round(NEAR * Math.max(width, height))), allowed);
  const liked = alpha && palettes(look, alpha, keep);
  const { level, areas } = flood(look, seed, mean, allowed, liked);
  const [own, most] = [GRAIN + spread, Math.min(MOST, LEAST + TEXTURE * spread)].map((away) => Math.round(away * PER_STEP * PRECISION));
  const limit = Math.min(LEVELS - 1, Math.round(reach * beforeLeak(areas, Math.min(own, most), most, width * height)));
  const mask = new Uint8Array(level.length);
  for (let at = 0; at < mask.length; at += 1) mask[at] = level[at] <= limit ? 1 : 0;
  return tidy(mask, width, height, seed);
}

/**
 * The part of a stroke with the same object as under its centre line: a mask as above.
 *
 * painted: Uint8Array of width * height, 1 for painted pixels. line: indices of the pixels under the centre line.
 */
export function snap(look, painted, line) {
  const { width, height, planes: [ls, as, bs], edges: changes } = look;
  const sources = line.filter((at) => painted[at]);
  const mask = new Uint8Array(width * height);
  if (!sources.length) return mask;
  const limit = Math.round(snapTolerance(look, sources) * PER_STEP * PRECISION);
  const from = new Int32Array(width * height).fill(-1); // the pixel under the centre line that a pixel was reached from
  const heads = new Int32Array(LEVELS).fill(-1);
  const next = new Int32Array(width * height);
  const push = (at, level) => { next[at] = heads[level]; heads[level] = at; };
  for (const at of new Set(sources)) { from[at] = at; push(at, 0); }
  let now = 0;
  const visit = (at, by) => {
    if (!painted[at] || from[at] !== -1) return;
    const to = from[by];
    const [l, a, b] = [ls[at] - ls[to], as[at] - as[to], bs[at] - bs[to]];
    const own = PER_STEP * Math.max(Math.sqrt(l * l + a * a + b * b), SNAP_EDGE * changes[at]);
    if (own > limit) return;
    from[at] = to;
    push(at, Math.max(now, Math.floor(own)));
  };
  for (; now <= limit; now += 1) {
    while (heads[now] !== -1) {
      const at = heads[now];
      heads[now] = next[at];
      mask[at] = 1;
      const x = at % width;
      if (x) visit(at - 1, at);
      if (x < width - 1) visit(at + 1, at);
      if (at >= width) visit(at - width, at);
      if (at < mask.length - width) visit(at + width, at);
    }
  }
  fillHoles(mask, width, height);
  for (let at = 0; at < mask.length; at += 1) mask[at] &= painted[at];
  return mask;
}

/** Convert a canvas's pixels to planes of weighted OKLab. */
function oklab(rgba) {
  const count = rgba.length / 4;
  const planes = [new Int16Array(count), new Int16Array(count), new Int16Array(count)];
  const linear = Float32Array.from({ length: 256 }, (_, level) => (level <= 10 ? level / 255 / 12.92 : ((level / 255 + 0.055) / 1.055) ** 2.4));
  const roots = Float32Array.from({ length: ROOTS + 2 }, (_, index) => Math.cbrt((index + 0.5) / ROOTS));
  const [ls, as, bs] = planes;
  const [light, colour] = [100 * PRECISION * LIGHTNESS, 100 * PRECISION * CHROMA];
  for (let at = 0, from = 0; at < count; at += 1, from += 4) {
    const r = linear[rgba[from]];
    const g = linear[rgba[from + 1]];
    const b = linear[rgba[from + 2]];
    const l = roots[Math.floor(ROOTS * (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b))];
    const m = roots[Math.floor(ROOTS * (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b))];
    const s = roots[Math.floor(ROOTS * (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b))];
    ls[at] = light * (0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s);
    as[at] = colour * (1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s);
    bs[at] = colour * (0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s);
  }
  return planes;
}

/** Smooth a plane against grain with the kernel 1 2 1, in both directions. */
function smooth(plane, width, height) {
  const half = new Int16Array(plane.length);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      half[at] = (plane[x ? at - 1 : at] + 2 * plane[at] + plane[x < width - 1 ? at + 1 : at] + 2) >> 2;
    }
  }
  const out = new Int16Array(plane.length);
  for (let y = 0, at = 0; y < height; y += 1) {
    const up = y ? width : 0;
    const down = y < height - 1 ? width : 0;
    for (let x = 0; x < width; x += 1, at += 1) out[at] = (half[at - up] + 2 * half[at] + half[at + down] + 2) >> 2;
  }
  return out;
}

/** The colour change across each pixel, in the steps of the planes. */
function edges(planes, width, height) {
  const out = new Uint16Array(width * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    const up = y ? width : 0;
    const down = y < height - 1 ? width : 0;
    for (let x = 0; x < width; x += 1, at += 1) {
      const left = x ? 1 : 0;
      const right = x < width - 1 ? 1 : 0;
      let sum = 0;
      for (let index = 0; index < 3; index += 1) {
        const plane = planes[index];
        const across = plane[at + right] - plane[at - left];
        const along = plane[at + down] - plane[at - up];
        sum += across * across + along * along;
      }
      out[at] = Math.sqrt(sum);
    }
  }
  return out;
}

/** The index of each pixel's colour in a palette of BINS ** 3. */
function bins([ls, as, bs]) {
  const out = new Uint16Array(ls.length);
  const place = (share) => Math.max(0, Math.min(BINS - 1, Math.floor(share * BINS)));
  const [light, colour] = [100 * PRECISION * LIGHTNESS, 60 * PRECISION * CHROMA];
  for (let at = 0; at < out.length; at += 1) {
    out[at] = (place(ls[at] / light) * BINS + place(as[at] / colour + 0.5)) * BINS + place(bs[at] / colour + 0.5);
  }
  return out;
}

/** The pixels to which a click may grow: those that it would change. */
function open(count, alpha, keep) {
  if (!alpha) return new Uint8Array(count).fill(1);
  const allowed = new Uint8Array(count);
  for (let at = 0; at < count; at += 1) allowed[at] = (keep ? 255 - alpha[at] : alpha[at]) > SETTLED ? 1 : 0;
  return allowed;
}

/** Mean colour and spread of the most similar 60 % of the pixels around x, y. Spread in hundredths. */
function colourAt({ width, height, planes: [ls, as, bs] }, x, y, reach, allowed = null) {
  const at = y * width + x;
  const near = [];
  for (let v = Math.max(0, y - reach); v <= Math.min(height - 1, y + reach); v += 1) {
    for (let u = Math.max(0, x - reach); u <= Math.min(width - 1, x + reach); u += 1) {
      const index = v * width + u;
      if (allowed && !allowed[index]) continue;
      near.push({ index, away: Math.hypot(ls[index] - ls[at], as[index] - as[at], bs[index] - bs[at]) });
    }
  }
  near.sort((one, other) => one.away - other.away);
  const alike = near.slice(0, Math.max(1, Math.round(0.6 * near.length)));
  const mean = [ls, as, bs].map((plane) => alike.reduce((sum, { index }) => sum + plane[index], 0) / alike.length);
  const spread2 = alike.reduce((sum, { index }) => sum + (ls[index] - mean[0]) ** 2 + (as[index] - mean[1]) ** 2 + (bs[index] - mean[2]) ** 2, 0);
  return { mean, spread: Math.sqrt(spread2 / alike.length) / PRECISION };
}

/** A score for each colour, -1 to 1: whether it occurs in the area that the click extends, or in the rest. */
function palettes({ bins: places }, alpha, keep) {
  const kept = new Float32Array(BINS ** 3);
  const removed = new Float32Array(BINS ** 3);
  let [allKept, allRemoved] = [1, 1];
  for (let at = 0; at < places.length; at += 1) {
    if (alpha[at] > 242) { kept[places[at]] += 1; allKept += 1; }
    if (alpha[at] < 13) { removed[places[at]] += 1; allRemoved += 1; }
  }
  return kept.map((count, index) => {
    const [one, other] = [count / allKept, removed[index] / allRemoved];
    return (keep ? one - other : other - one) / (one + other + 2e-5);
  });
}

/** The level at which each allowed pixel is reached from the seed (LEVELS: never), and the number of pixels by level. */
function flood({ width, height, planes: [ls, as, bs], edges: changes, bins: places }, seed, [l, a, b], allowed, liked) {
  const level = new Uint8Array(width * height).fill(LEVELS);
  const areas = new Float64Array(LEVELS);
  const heads = new Int32Array(LEVELS).fill(-1); // of a chain of pixels for each level
  const next = new Int32Array(width * height);
  const seen = allowed.map((value) => 1 - value);
  const like = liked ? liked[places[seed]] : 0;
  let now = 0;
  const visit = (at) => {
    if (seen[at]) return;
    seen[at] = 1;
    const dl = ls[at] - l;
    const da = as[at] - a;
    const db = bs[at] - b;
    const away = Math.sqrt(dl * dl + da * da + db * db);
    const change = EDGE * changes[at];
    let own = PER_STEP * (away > change ? away : change);
    if (liked) {
      const factor = 1 + ALIKE * (like - liked[places[at]]);
      own *= factor > 0.5 ? factor : 0.5;
    }
    const to = own > now ? Math.trunc(own) : now;
    if (to >= LEVELS) return;
    next[at] = heads[to];
    heads[to] = at;
  };
  seen[seed] = 1;
  next[seed] = -1;
  heads[0] = seed;
  for (; now < LEVELS; now += 1) {
    if (now) areas[now] = areas[now - 1];
    while (heads[now] !== -1) {
      const at = heads[now];
      heads[now] = next[at];
      level[at] = now;
      areas[now] += 1;
      const x = at % width;
      if (x) visit(at - 1);
      if (x < width - 1) visit(at + 1);
      if (at >= width) visit(at - width);
      if (at < level.length - width) visit(at + width);
    }
  }
  return { level, areas };
}

/** The last level from `least` to `most` before the region leaks. */
function beforeLeak(areas, least, most, count) {
  for (let level = least; level < most; level += 1) {
    const ahead = areas[Math.min(LEVELS - 1, level + LEAP_LEVELS)];
    if (areas[level] > CORE * count && ahead > LEAP * areas[level] && ahead - areas[level] > LEAST_LEAP * count) return level;
  }
  return most;
}

/** The separate part of the kept area around a pixel, if it is a small share of all; else null. */
function islandAt(alpha, width, height, seed) {
  if (alpha[seed] < 128) return null;
  const kept = alpha.map((value) => value >> 7);
  const island = spreadFrom(seed, width, height, kept);
  if (sum(island) >= ISLAND * sum(kept)) return null;
  const rim = dilate(island, width, height); // its soft edge too
  for (let at = 0; at < rim.length; at += 1) if (!alpha[at]) rim[at] = 0;
  return rim;
}

/** Clean a mask: drop parts that hang on by one-pixel bridges, and fill holes. */
function tidy(mask, width, height, seed) {
  const opened = dilate(erode(mask, width, height), width, height);
  const thin = !opened[seed] || sum(opened) < 0.5 * sum(mask); // opening would delete a cable
  const whole = thin ? mask : spreadFrom(seed, width, height, opened);
  fillHoles(whole, width, height);
  return whole;
}

function erode(mask, width, height) {
  const out = new Uint8Array(mask.length);
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1, at = y * width + 1; x < width - 1; x += 1, at += 1) {
      out[at] = mask[at] & mask[at - 1] & mask[at + 1] & mask[at - width] & mask[at + width];
    }
  }
  // The picture counts as continuing beyond its frame.
  for (let x = 0; x < width; x += 1) out[x] = out[x + (height - 1) * width] = 2;
  for (let y = 0; y < height; y += 1) out[y * width] = out[y * width + width - 1] = 2;
  for (let at = 0; at < out.length; at += 1) if (out[at] === 2) out[at] = mask[at];
  return out;
}

function dilate(mask, width, height) {
  const out = new Uint8Array(mask.length);
  for (let y = 0, at = 0; y < height; y += 1) {
    const up = y ? width : 0;
    const down = y < height - 1 ? width : 0;
    for (let x = 0; x < width; x += 1, at += 1) {
      out[at] = mask[at] | mask[x ? at - 1 : at] | mask[x < width - 1 ? at + 1 : at] | mask[at - up] | mask[at + down];
    }
  }
  return out;
}

/** Fill the holes of a mask that are smaller than the mask itself. */
function fillHoles(mask, width, height) {
  const { left, top, right, bottom } = boxOf(mask, width);
  const own = sum(mask);
  const seen = mask.slice();
  const stack = new Int32Array(Math.max(0, (right - left + 1) * (bottom - top + 1)));
  for (let v = top; v <= bottom; v += 1) {
    for (let u = left; u <= right; u += 1) {
      const start = v * width + u;
      if (seen[start]) continue;
      let [length, enclosed] = [1, true];
      stack[0] = start;
      seen[start] = 1;
      for (let index = 0; index < length; index += 1) { // the stack keeps all pixels of the hole
        const at = stack[index];
        const x = at % width;
        const y = (at - x) / width;
        if (x === left || x === right || y === top || y === bottom) enclosed = false;
        if (x > left && !seen[at - 1]) { seen[at - 1] = 1; stack[length++] = at - 1; }
        if (x < right && !seen[at + 1]) { seen[at + 1] = 1; stack[length++] = at + 1; }
        if (y > top && !seen[at - width]) { seen[at - width] = 1; stack[length++] = at - width; }
        if (y < bottom && !seen[at + width]) { seen[at + width] = 1; stack[length++] = at + width; }
      }
      if (enclosed && length < own) for (let index = 0; index < length; index += 1) mask[stack[index]] = 1;
    }
  }
}

/** The connected part of a mask around a pixel. */
function spreadFrom(seed, width, height, within) {
  const mask = new Uint8Array(within.length);
  const stack = new Int32Array(within.length);
  const last = width * (height - 1);
  let length = 1;
  stack[0] = seed;
  mask[seed] = 1;
  while (length) {
    const at = stack[--length];
    const x = at % width;
    if (x && within[at - 1] && !mask[at - 1]) { mask[at - 1] = 1; stack[length++] = at - 1; }
    if (x < width - 1 && within[at + 1] && !mask[at + 1]) { mask[at + 1] = 1; stack[length++] = at + 1; }
    if (at >= width && within[at - width] && !mask[at - width]) { mask[at - width] = 1; stack[length++] = at - width; }
    if (at < last && within[at + width] && !mask[at + width]) { mask[at + width] = 1; stack[length++] = at + width; }
  }
  return mask;
}

function boxOf(mask, width) {
  const box = { left: width, top: 0, right: -1, bottom: -1 };
  const first = mask.indexOf(1);
  if (first === -1) return box;
  box.top = Math.floor(first / width);
  box.bottom = Math.floor(mask.lastIndexOf(1) / width);
  for (let y = box.top; y <= box.bottom; y += 1) {
    const row = mask.subarray(y * width, (y + 1) * width);
    const start = row.indexOf(1);
    if (start === -1) continue;
    box.left = Math.min(box.left, start);
    box.right = Math.max(box.right, row.lastIndexOf(1));
  }
  return box;
}

function sum(mask) {
  let all = 0;
  for (let at = 0; at < mask.length; at += 1) all += mask[at];
  return all;
}

/** The allowed colour distance from a line: the median of tolerances from the texture at some of its points. */
function snapTolerance(look, line) {
  const reach = Math.max(2, Math.round(NEAR * Math.max(look.width, look.height)));
  const each = Math.max(1, Math.floor(line.length / 24));
  const spreads = line.filter((_, index) => index % each === 0)
    .map((at) => colourAt(look, at % look.width, Math.floor(at / look.width), reach).spread).sort((one, other) => one - other);
  return Math.min(SNAP.most, SNAP.least + SNAP.texture * spreads[Math.floor(spreads.length / 2)]);
}
