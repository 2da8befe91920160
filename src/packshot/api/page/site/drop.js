// Photos come in: picked, dropped (folders too) or pasted.

import { find } from "./dom.js";
import { accepted } from "./words.js";

const paths = new WeakMap(); // of dropped files, which have none of their own

/** Where a file lay in the folder that it came with, that folder first: "photos/cups/cup.jpg"; "" for a file alone. */
export const pathOf = (file) => paths.get(file) ?? file.webkitRelativePath ?? "";

/**
 * Call onFiles(pictures, other) for every way in; other: how many files were no pictures. The file dialog offers what the
 * service reads; a picture that it does not read is sent all the same, and comes back with words that say so.
 */
export function takePhotos(offer, onFiles) {
  const suffixes = offer.formats.flatMap((format) => format.suffixes);
  // A browser knows few of them by itself, and takes what macOS keeps beside a photo, ._photo.jpg, for one.
  const isPicture = ({ name, type }) => !name.startsWith("._")
    && (type.startsWith("image/") || suffixes.some((suffix) => name.toLowerCase().endsWith(suffix)));
  const pick = find("pick");
  pick.accept = accepted(offer);
  const take = (files) => {
    const pictures = files.filter(isPicture);
    if (files.length) onFiles(pictures, files.length - pictures.length);
  };
  pick.addEventListener("change", () => {
    take([...pick.files]);
    pick.value = ""; // so that the same photo can be picked again
  });
  document.addEventListener("paste", (event) => take([...event.clipboardData.files]));
  takeDrops(take);
}

function takeDrops(take) {
  const page = document.documentElement;
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    page.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? page.classList.remove("dragging"));
  document.addEventListener("drop", async (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    page.classList.remove("dragging");
    take(await filesOf(event.dataTransfer));
  });
}

async function filesOf(transfer) {
  // Entries must be taken before anything is awaited: afterwards the transfer is empty.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map((entry) => inside(entry)))).flat();
}

// Folders that systems make beside photos, as the command line knows them.
const systems = new Set(["__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found",
  "packshot-review"]);

/** The files of an entry: itself, or all in a folder and its folders, without those that a system hides. */
async function inside(entry, place = "") {
  if (entry.name.startsWith(".") || systems.has(entry.name.toLowerCase())) return [];
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    if (place) paths.set(file, place + file.name);
    return [file];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader answers about a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map((each) => inside(each, `${place}${entry.name}/`)))).flat());
  }
}
