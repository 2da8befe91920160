// Adds photos that the user picks, drops (also folders) or pastes.

import { find } from "./dom.js";
import { accepted } from "./words.js";

const paths = new WeakMap(); // of dropped files, which have no path property

/** The path of a file in its dropped or picked folder, including that folder: "photos/cups/cup.jpg"; "" for a single file. */
export const pathOf = (file) => paths.get(file) ?? file.webkitRelativePath ?? "";

/**
 * Call onFiles(pictures, other) for all added files. other: the number of files that are not pictures. The file dialog
 * offers the service's formats. Pictures in other formats are sent too, and the service's error explains the problem.
 */
export function takePhotos(offer, onFiles) {
  const suffixes = offer.formats.flatMap((format) => format.suffixes);
  // Browsers know few of the formats, and treat macOS's metadata file of a photo, ._photo.jpg, as a picture.
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
    pick.value = ""; // so that the user can pick the same photo again
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
  // Read the entries before the first await: afterwards the transfer is empty.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map((entry) => inside(entry)))).flat();
}

// Folders that operating systems create next to photos; the same list as on the command line.
const systems = new Set(["__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found",
  "packshot-review"]);

/** The files of an entry: the file itself, or all files of a folder, recursively, without hidden ones. */
async function inside(entry, place = "") {
  if (entry.name.startsWith(".") || systems.has(entry.name.toLowerCase())) return [];
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    if (place) paths.set(file, place + file.name);
    return [file];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader returns about a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map((each) => inside(each, `${place}${entry.name}/`)))).flat());
  }
}
