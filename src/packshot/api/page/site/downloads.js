// Downloads: one picture, the pictures of one photo, or all of them. Several are a ZIP.

import { saveAs } from "./dom.js";
import { outputName, outputNames } from "./names.js";
import { zip } from "./zip.js";

/** The picture of a photo that is in sight. */
export function downloadOne(photo) {
  saveAs(photo.result.blob, photo.outputName);
  if (!photo.isSeveral) photo.saved = true;
}

/** All pictures of one photo, each in the folder of its marketplace. Rejects where they are too many for a ZIP. */
export async function downloadEach(photo) {
  saveAs(await packed([photo], true), outputName({ name: photo.given ? `${photo.given}.-` : photo.name, extension: "zip" }));
  photo.saved = true;
}

/** All pictures of these photos. presets: the names that are chosen for all photos; several are a folder each. */
export async function downloadAll(photos, presets) {
  saveAs(await packed(photos, presets.length > 1), presets.length === 1 ? `packshots-${presets[0]}.zip` : "packshots.zip");
  for (const photo of photos) photo.saved = true;
}

function packed(photos, inFolders) {
  const pictures = photos.flatMap((photo) => photo.results.map((result) => ({ blob: result.blob, output: photo.outputOf(result, inFolders) })));
  const names = outputNames(pictures.map(({ output }) => output));
  return zip(pictures.map(({ blob }, index) => ({ name: names[index], blob })));
}
