// Next to the large picture: the picture's name, and the photo's own look.

import { ColourField } from "./colour_field.js";
import { find, make } from "./dom.js";
import { t } from "./language.js";
import { PresetPills, presetsOf } from "./presets.js";
import { backgroundPills } from "./settings.js";
import { accepted } from "./words.js";

const AS_ALL = "-";

/** onChange(own, merge): changes parts of a photo's own look. onReset(): removes its own look. onName(name): renames it. */
export class Own {
  photo = null;

  constructor({ offer, work, onChange, onReset, onName }) {
    Object.assign(this, { offer, work, onChange, onReset, onName });
    this.colour = new ColourField("own-colour", (colour) => this.onChange({ background: "colour", colour }));
    this.name = make("input", { type: "text", id: "own-name", autocomplete: "off", spellcheck: false });
    this.suffix = make("span", { className: "fine" });
    this.presets = new PresetPills({ name: "own-preset", offer, others: [[AS_ALL, t("own.as-all")], ["", t("settings.any-use")]] });
    this.pills = make("div", { className: "pills" });
    this.picture = make("input", { type: "file", id: "own-picture", accept: accepted(offer) });
    this.pictureRow = make("p", { className: "extra" }, make("label", { for: "own-picture" }, t("settings.which-picture")), this.picture);
    this.reset = make("button", { type: "button", onclick: () => this.onReset() }, t("own.reset"));
    this.place = make("section", { className: "own" },
      make("p", { className: "field" }, make("label", { for: "own-name" }, t("own.name")), make("span", { className: "save-as" }, this.name, this.suffix)),
      make("details", { id: "own-look" }, make("summary", {}, t("own.title")),
        make("fieldset", {}, make("legend", {}, t("settings.ready-for")), this.presets.place),
        make("fieldset", {}, make("legend", {}, t("settings.background")), this.pills, this.colour.row, this.pictureRow),
        this.reset));
    this.name.addEventListener("change", () => this.onName(this.name.value.trim()));
    this.presets.place.addEventListener("change", () => this.onChange({ preset: this.presets.value === AS_ALL ? undefined : this.presets.value }));
    this.pills.addEventListener("change", (event) => this.#background(event.target.value));
    this.picture.addEventListener("change", () => {
      if (this.picture.files[0]) this.onChange({ background: "picture", picture: this.picture.files[0] });
      this.picture.value = "";
    });
  }

  show(photo) {
    if (!this.place.isConnected) find("facts").after(this.place);
    const other = this.photo !== photo;
    this.photo = photo;
    const { own } = photo;
    if (other || document.activeElement !== this.name) this.name.value = photo.title;
    this.suffix.textContent = photo.result ? `.${photo.outputName.split(".").pop()}` : "";
    this.presets.value = own.preset ?? AS_ALL;
    this.#showBackground(own);
    this.reset.hidden = !photo.hasOwnLook;
    if (other) this.place.querySelector("details").open = photo.hasOwnLook;
  }

  hide() {
    this.photo = null;
    this.place.remove();
  }

  #showBackground(own) {
    const held = this.pills.contains(document.activeElement);
    const look = this.work.lookOf(this.photo);
    const asAll = backgroundPills("own-background", [])[0];
    asAll.querySelector("input").value = AS_ALL;
    asAll.querySelector("span").replaceChildren(t("own.as-all"));
    this.pills.replaceChildren(asAll, ...backgroundPills("own-background", presetsOf(this.offer, look)));
    const value = own.background ?? AS_ALL;
    for (const input of this.pills.querySelectorAll("input")) input.checked = input.value === value;
    if (held) this.pills.querySelector(":checked")?.focus();
    this.colour.row.hidden = own.background !== "colour";
    this.colour.value = look.colour ?? "#ffffff";
    this.pictureRow.hidden = own.background !== "picture";
  }

  #background(value) {
    if (value === AS_ALL) this.onChange({ background: undefined, colour: undefined, picture: undefined });
    else this.onChange({ background: value, ...(value === "colour" && { colour: this.colour.value }) });
  }
}
