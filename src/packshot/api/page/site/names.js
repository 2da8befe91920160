// Names of output pictures: the same as on the command line (batch/listing.py and Recipe.word in core/recipe.py), and
// valid on Linux, macOS and Windows.

import { parseColour } from "./colours.js";

const MOST_BYTES = 255; // of one name in UTF-8 on Linux and macOS; Windows allows 255 UTF-16 units, which is never less
const MOST_UNITS = 200; // of a name with its folders: Windows Explorer unpacks 260 UTF-16 units, including its own folder
const DEVICES = /^(con|prn|aux|nul|com[\d\u00b9\u00b2\u00b3]|lpt[\d\u00b9\u00b2\u00b3]|conin\$|conout\$)(?= *(\.|$))/i;

/** The suffix of a result, from its URL: "jpg". */
export const extension = ({ url }) => new URL(url, document.baseURI).pathname.split(".").pop();

export const stem = (name) => name.replace(/\.[^.\s]{1,5}$/, "");

/**
 * The word after the photo's name in an output's name, cup-WORD.jpg; the same as Recipe.word.
 * options: texts by option name. picture: whether there is also a background picture.
 * formats: from GET /v1/about.
 */
export function wordOf(options, { picture = false, formats = [] } = {}) {
  if (options.preset) return options.preset;
  if (options.form === "mask") return "mask";
  if (picture) return "picture";
  const { background, crop, canvas, margin, fill, position, min_px, max_px } = options;
  const bare = !background || background === "transparent";
  const isOpaque = formats.some(({ name, alpha }) => name === options.format && !alpha);
  if (!bare || options.form === "flattened" || isOpaque) {
    if (background === "blur") return "blur";
    return bare || parseColour(background) === "#ffffff" ? "white" : "colour";
  }
  if (crop === "true" && !canvas) return "crop";
  return [canvas, margin, fill, position, min_px, max_px].some(Boolean) ? "framed" : "";
}

/** The name of a single downloaded picture, without folders. */
export const outputName = (photo) => composed({ ...partsOf(photo), folders: [] });

/**
 * Names for pictures that go into one folder or ZIP, in the order of the photos.
 *
 * photos: [{ name, path, word, extension, folder }], one for each picture. name: of the photo's file. path: its original
 * path, "photos/cups/cup.jpg", or "" without a folder. word: from wordOf, "" for none. folder: an outer folder, such as
 * the marketplace's; "" for none. A top folder common to all photos is dropped, as on the command line.
 *
 * The command line rejects two photos with the same output name; here the later one gets a number. The comparison ignores
 * case, and includes folder names.
 */
export function outputNames(photos) {
  const entries = photos.map(partsOf);
  const top = entries[0]?.folders[0];
  const isShared = top !== undefined && entries.every(({ folders }) => folders[0] === top);
  if (isShared) for (const entry of entries) entry.folders.shift();
  return apart(entries);
}

/** Unique names for files in one folder: duplicates get a number. */
export const uniqueNames = (names) => apart(names.map((name) => ({ folders: [], stem: stem(name), tail: name.slice(stem(name).length) })));

function partsOf({ name, path = "", word = "", folder: root = "", extension: ending }) {
  const folders = path.split("/").slice(0, -1).filter((folder) => !["", ".", ".."].includes(folder));
  return { root: root && legalFolder(root), folders: folders.map(legalFolder), stem: legal(stem(name)) || "photo", tail: `${word && "-"}${word}.${ending}` };
}

// Free names are kept first. Numbers come second, so that no numbered name takes another photo's name.
function apart(entries) {
  const names = entries.map((entry) => composed(entry));
  const taken = new Set(names.flatMap((name) => foldersAbove(name).map(folded)));
  const isFirst = names.map((name) => !taken.has(folded(name)) && Boolean(taken.add(folded(name))));
  const numbers = new Map();
  return names.map((name, index) => {
    if (isFirst[index]) return name;
    let free = name;
    let number = numbers.get(folded(name)) ?? 2;
    for (; taken.has(folded(free)); number += 1) free = composed(entries[index], `-${number}`);
    numbers.set(folded(name), number);
    taken.add(folded(free));
    return free;
  });
}

/** A complete name within the length limits. Outer folders are cut first, then the end of the photo's name. */
function composed({ root = "", folders, stem: base, tail }, number = "") {
  const ending = tail.replace(/(\.[^.]*)?$/, `${number}$1`);
  let above = folders;
  const under = (inner) => [root, ...inner].filter(Boolean).map((folder) => `${folder}/`).join("");
  while (above.length && (under(above) + base + ending).length > MOST_UNITS) above = above.slice(1);
  const place = under(above);
  const kept = shortened(base, { bytes: MOST_BYTES - sizeOf(ending) - 1, units: MOST_UNITS - place.length - ending.length - 1 });
  return place + `${kept}${ending}`.replace(DEVICES, "$1_"); // both limits leave room for this character
}

const legal = (name) => name.normalize("NFC").replace(/[\p{Cc}\p{Cs}<>:"|?*\\/]/gu, "_");

function legalFolder(name) {
  const ended = (text) => text.replace(/[. ]+$/, "");
  const named = ended(shortened(ended(legal(name)), { bytes: MOST_BYTES - 1, units: MOST_UNITS })) || "_";
  return named.replace(DEVICES, "$1_");
}

const sizeOf = (text) => new TextEncoder().encode(text).length;

function shortened(text, { bytes, units }) {
  if (text.length <= units && sizeOf(text) <= bytes) return text;
  let kept = "";
  for (const character of text) {
    if (kept.length + character.length > units || sizeOf(kept + character) > bytes) break;
    kept += character;
  }
  return kept;
}

const foldersAbove = (name) => name.split("/").slice(0, -1).map((_, index, all) => all.slice(0, index + 1).join("/"));

const folded = (name) => name.toUpperCase().toLowerCase().normalize("NFC");
