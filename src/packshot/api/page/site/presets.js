// Choosing marketplaces: one, several or none.

import { make, pill } from "./dom.js";
import { presetAbout, presetShort } from "./explain.js";
import { day, t } from "./language.js";
import { presetNames } from "./looks.js";

/** The presets of a look, with the service's descriptions. offer: from GET /v1/about. */
export const presetsOf = (offer, look) => presetNames(look).map((name) => offer.presets.find((preset) => preset.name === name)).filter(Boolean);

/** A look's preset names, without those that the service does not have. */
export const knownPresets = (offer, look) => presetsOf(offer, look).map(({ name }) => name).join();

/**
 * Pills that allow several choices. others: [[value, words]] of exclusive pills, such as "any use". Choosing one clears
 * all other choices, and the first is the default.
 * value: the names of the chosen presets, separated by commas, in the service's order, or the value of an exclusive pill.
 */
export class PresetPills {
  constructor({ name, offer, others }) {
    this.others = others.map(([value]) => value);
    const pills = [...others, ...offer.presets.map((preset) => [preset.name, presetShort(preset)])];
    this.place = make("div", { className: "pills" }, pills.map(([value, words]) => pill(name, value, words, { type: "checkbox" })));
    this.boxes = [...this.place.querySelectorAll("input")];
    this.place.addEventListener("change", ({ target }) => { this.value = this.others.includes(target.value) ? target.value : this.#presets() || this.others[0]; });
    this.value = this.others[0];
  }

  get value() {
    return this.boxes.find(({ value, checked }) => checked && this.others.includes(value))?.value ?? this.#presets();
  }

  set value(value) {
    const chosen = this.others.includes(value) ? [value] : value.split(",");
    for (const box of this.boxes) box.checked = chosen.includes(box.value);
    if (!this.boxes.some(({ checked }) => checked)) this.boxes[0].checked = true;
  }

  #presets() {
    return this.boxes.filter(({ value, checked }) => checked && !this.others.includes(value)).map(({ value }) => value).join();
  }
}

/** The descriptions of the chosen presets, and the dates of their rules. */
export function aboutPresets(presets) {
  if (!presets.length) return [t("settings.about-any")];
  if (presets.length === 1) return [`${presetAbout(presets[0])} `, ...standing(presets[0])];
  return [make("ul", {}, presets.map((preset) => make("li", {}, make("strong", {}, presetShort(preset)), " ", standing(preset))))];
}

function standing({ source, checked }) {
  const link = source && make("a", { href: source, target: "_blank", rel: "noreferrer" }, t("settings.source"));
  return [t("settings.rules-as-of", { day: day(checked) }), ...(link ? [" ", link] : [])];
}
