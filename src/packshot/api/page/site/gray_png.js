// Writes an 8-bit gray PNG from bytes. Not with a canvas: some browsers add noise to canvas pixels against
// fingerprinting, and 128 must stay 128.

import { crc32 } from "./crc32.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** gray: Uint8Array of width * height levels, row by row. */
export async function grayPng(gray, width, height) {
  const rows = new Uint8Array((width + 1) * height); // each row begins with its filter type, 0 (none)
  for (let y = 0; y < height; y += 1) rows.set(gray.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(stream).arrayBuffer());
  const header = Uint8Array.from([...number(width), ...number(height), 8, 0, 0, 0, 0]);
  return new Blob([Uint8Array.from(SIGNATURE), chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", new Uint8Array())],
    { type: "image/png" });
}

function chunk(name, data) {
  const kind = new TextEncoder().encode(name);
  return new Blob([number(data.length), kind, data, number(crc32(kind, data))]);
}

function number(value) {
  return Uint8Array.from([value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 255));
}
