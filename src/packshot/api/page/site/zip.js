// Writes a zip file without compression, because pictures are already compressed. Holds one file in memory at a time.
// The layout is PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16, without Zip64.
//
// Names are UTF-8, marked by bit 11. Windows since 8, macOS and Info-ZIP's unzip support this bit, so that no second name
// in an extra field (0x7075) is needed. The entries claim to come from Unix, with mode 0644: unzip creates files that all
// users may read.

import { crc32 } from "./crc32.js";
import { t } from "./language.js";

const UTF8_NAMES = 1 << 11;
const VERSION = 20;
const MADE_BY = (3 << 8) | VERSION; // Unix
const PLAIN_FILE = 0o100644 * 2 ** 16; // S_IFREG and rw-r--r--, in the upper half of the external attributes
const LARGEST_BYTES = 0xffffffff;
const MOST_FILES = 0xffff;

/**
 * files: [{ name, blob }]. name: from outputNames (names.js), with `/` between folders and file.
 * Returns a blob of type application/zip. Throws a RangeError for too many files.
 */
export async function zip(files, now = new Date()) {
  const named = files.map(({ name, blob }) => ({ name: new TextEncoder().encode(name), blob }));
  const total = named.reduce((sum, { name, blob }) => sum + blob.size + 76 + 2 * name.length, 22);
  if (total > LARGEST_BYTES || files.length > MOST_FILES) {
    throw new RangeError(t("zip.too-many", { max_bytes: 2 ** 32 }));
  }
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of named) {
    const entry = await entryOf(name, blob, now);
    const local = record(0x04034b50, entry, []);
    parts.push(local, blob);
    directory.push(record(0x02014b50, entry, [[2, 0], [2, 0], [2, 0], [4, PLAIN_FILE], [4, offset]]));
    offset += local.length + blob.size;
  }
  const size = directory.reduce((sum, each) => sum + each.length, 0);
  const end = fields([[4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset],
    [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

async function entryOf(name, blob, now) {
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
  return { name, size: blob.size, crc, time, date };
}

/** A local header, or with `more` an entry of the central directory, which has the same fields and more. */
function record(signature, { name, size, crc, time, date }, more) {
  const made = more.length ? [[2, MADE_BY]] : [];
  const head = fields([[4, signature], ...made, [2, VERSION], [2, UTF8_NAMES], [2, 0], [2, time], [2, date], [4, crc],
    [4, size], [4, size], [2, name.length], [2, 0], ...more]);
  const bytes = new Uint8Array(head.length + name.length);
  bytes.set(head);
  bytes.set(name, head.length);
  return bytes;
}

/** Little-endian numbers: [[bytes, value], ...]. */
function fields(numbers) {
  const bytes = [];
  for (const [length, value] of numbers) {
    for (let at = 0; at < length; at += 1) bytes.push((value >>> (8 * at)) & 255);
  }
  return Uint8Array.from(bytes);
}
