// Chooses a colour: with the browser's picker, by name or number, or from the recent ones.

import { parseColour, recentColours, rememberColour } from "./colours.js";
import { make } from "./dom.js";
import { t } from "./language.js";

/** A row of controls; `row` is its element. onChange(colour): called with the chosen "#rrggbb". */
export class ColourField {
  #colour = "#ffffff";

  constructor(id, onChange) {
    this.onChange = onChange;
    this.picker = make("input", { type: "color", id });
    this.text = make("input", { type: "text", id: `${id}-text`, spellcheck: false, autocomplete: "off", size: 9, "aria-label": t("colour.code"),
      "aria-describedby": `${id}-wrong` });
    this.wrong = make("span", { id: `${id}-wrong`, className: "wrong", role: "alert" });
    this.recent = make("span", { className: "recent", role: "group", ariaLabel: t("colour.recent") });
    this.row = make("div", { className: "extra colours" }, make("label", { for: id }, t("settings.which-colour")), this.picker, this.text, this.recent, this.wrong);
    this.picker.addEventListener("change", (event) => { event.stopPropagation(); this.#choose(this.picker.value); });
    this.picker.addEventListener("input", (event) => { event.stopPropagation(); this.text.value = this.picker.value; });
    this.text.addEventListener("input", (event) => event.stopPropagation());
    this.text.addEventListener("change", (event) => { event.stopPropagation(); this.#typed(); });
    this.#offer();
  }

  get value() {
    return this.#colour;
  }

  set value(colour) {
    this.#colour = colour;
    this.picker.value = colour;
    this.text.value = colour;
    this.wrong.textContent = "";
  }

  #typed() {
    const colour = parseColour(this.text.value);
    if (colour) this.#choose(colour);
    else this.wrong.textContent = t("colour.unknown");
  }

  #choose(colour) {
    this.value = colour;
    rememberColour(colour);
    this.#offer();
    this.onChange(colour);
  }

  #offer() {
    this.recent.replaceChildren(...recentColours().map((colour) => {
      const mark = make("i", { className: "swatch", ariaHidden: "true" });
      mark.style.background = colour;
      return make("button", { type: "button", className: "quiet", title: colour, ariaLabel: colour, onclick: () => this.#choose(colour) }, mark);
    }));
  }
}
