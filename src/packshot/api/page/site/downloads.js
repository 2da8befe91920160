// Downloads: one picture, the pictures of one photo, or all pictures. Several come as a ZIP.

import { saveAs } from "./dom.js";
import { outputName, outputNames } from "./names.js";
import { zip } from "./zip.js";

/** Download the shown picture of a photo. */
export function downloadOne(photo) {
  saveAs(photo.result.blob, photo.outputName);
  if (!photo.isSeveral) photo.saved = true;
}

/** Download all pictures of one photo, each in its marketplace's folder. Rejects if they are too many for a ZIP. */
export async function downloadEach(photo) {
  saveAs(await packed([photo], true), outputName({ name: photo.given ? `${photo.given}.-` : photo.name, extension: "zip" }));
  photo.saved = true;
}

/** Download all pictures of these photos. presets: the names chosen for all photos; with several, each has a folder. */
export async function downloadAll(photos, presets) {
  saveAs(await packed(photos, presets.length > 1), presets.length === 1 ? `packshots-${presets[0]}.zip` : "packshots.zip");
  for (const photo of photos) photo.saved = true;
}

function packed(photos, inFolders) {
  const pictures = photos.flatMap((photo) => photo.results.map((result) => ({ blob: result.blob, output: photo.outputOf(result, inFolders) })));
  const names = outputNames(pictures.map(({ output }) => output));
  return zip(pictures.map(({ blob }, index) => ({ name: names[index], blob })));
}
