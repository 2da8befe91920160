// Choosing marketplaces: one, several or none.

import { make, pill } from "./dom.js";
import { presetAbout, presetShort } from "./explain.js";
import { day, t } from "./language.js";
import { presetNames } from "./looks.js";

/** The presets that a look has, as the service describes them. offer: as GET /v1/about answers. */
export const presetsOf = (offer, look) => presetNames(look).map((name) => offer.presets.find((preset) => preset.name === name)).filter(Boolean);

/** A text of presets as a look has it, without those that the service does not have. */
export const knownPresets = (offer, look) => presetsOf(offer, look).map(({ name }) => name).join();

/**
 * Pills of which several can be chosen. `others`: [[value, words]] of pills that stand for themselves, such as that for no
 * preset: one of them takes all others away, and the first is chosen where nothing else is.
 * value: the names of the chosen presets with commas between them, in the service's order, or the value of such a pill.
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

/** What chosen presets are for, and as of when their rules are known. */
export function aboutPresets(presets) {
  if (!presets.length) return [t("settings.about-any")];
  if (presets.length === 1) return [`${presetAbout(presets[0])} `, ...standing(presets[0])];
  return [make("ul", {}, presets.map((preset) => make("li", {}, make("strong", {}, presetShort(preset)), " ", standing(preset))))];
}

function standing({ source, checked }) {
  const link = source && make("a", { href: source, target: "_blank", rel: "noreferrer" }, t("settings.source"));
  return [t("settings.rules-as-of", { day: day(checked) }), ...(link ? [" ", link] : [])];
}
