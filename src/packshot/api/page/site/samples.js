// Three sample photos. `python -m docs.samples` makes them from examples/.

import { t } from "./language.js";

const NAMES = ["mug", "teapot", "bear"];

const address = (file) => new URL(file, import.meta.url).href;

/** One entry for each button: { name, small }. name: what the photo shows. small: URL of a picture of 160 px, 5 kB. */
export const sampleList = NAMES.map((name, index) => ({ name, small: address(`sample-${index + 1}-small.jpg`) }));

/** Fetch the photos as files. names: which of them. Rejects if the service does not answer. */
export function samples(names = NAMES) {
  return Promise.all(names.map(async (name) => {
    const response = await fetch(address(`sample-${NAMES.indexOf(name) + 1}.jpg`));
    if (!response.ok) throw new Error(t("sample.missing"));
    return new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" });
  }));
}
