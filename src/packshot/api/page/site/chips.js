// The pictures of a photo for several marketplaces: the state of each, and which one is shown.

import { make } from "./dom.js";
import { presetShort } from "./explain.js";
import { t } from "./language.js";
import { presetsOf } from "./presets.js";
import { standing, verdictText } from "./report.js";

/**
 * Put a chip for each picture of a photo into a place, which is hidden if there is only one.
 * onShow(preset): shows the picture for this preset.
 */
export function showChips(place, photo, onShow) {
  place.hidden = !photo?.isSeveral;
  if (place.hidden) return place.replaceChildren();
  const held = [...place.children].indexOf(document.activeElement);
  place.replaceChildren(...photo.results.map((result) => {
    const { kind, mark } = standing(result.facts.preset, photo.needsLook);
    const words = verdictText(result.facts.preset, photo.needsLook);
    return make("button", { type: "button", className: `chip ${kind}`, title: words, "aria-pressed": String(result === photo.result),
      "aria-label": t("card.of", { action: words, name: photo.name }), onclick: () => onShow(result.preset) },
    make("span", { ariaHidden: "true" }, mark), presetShort(result.facts.preset));
  }));
  place.children[held]?.focus();
  return undefined;
}

/** Chips that switch all photos to their picture for one marketplace. work: knows the chosen presets. */
export function showForAll(place, photos, work) {
  const presets = work.look && photos.all.length ? presetsOf(work.offer, work.look) : [];
  const states = presets.map(({ name }) => photos.all.every(({ results, result }) => result?.preset === name || !results.some(({ preset }) => preset === name)));
  place.hidden = presets.length < 2;
  const news = presets.map(({ name }, index) => name + states[index]).join();
  if (place.dataset.news === news) return;
  place.dataset.news = news;
  const held = [...place.children].indexOf(document.activeElement);
  place.replaceChildren(...presets.map((preset, index) => make("button", { type: "button", className: "chip", "aria-pressed": String(states[index]), onclick: () => {
    for (const photo of photos.all) photo.shown = preset.name;
    photos.changed();
  } }, presetShort(preset))));
  place.children[held]?.focus();
}

/** The preset before (-1) or after (1) the shown one, or null. */
export function neighbour(photo, by) {
  return photo.results[photo.results.indexOf(photo.result) + by]?.preset ?? null;
}
