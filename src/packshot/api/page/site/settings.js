// The form "How they should look": the look of all photos, with menus built from GET /v1/about.

import { ColourField } from "./colour_field.js";
import { find, make, pill } from "./dom.js";
import { presetShort } from "./explain.js";
import { list, percent, t } from "./language.js";
import { FRAMES, PLAIN_LOOK, casts, contradiction, difference } from "./looks.js";
import { PresetPills, aboutPresets, presetsOf } from "./presets.js";
import { accepted, choice } from "./words.js";

const LONGEST = ["", 1000, 1600, 2000, 3000];

/** Dispatches "change" with two looks, { before, after }, in its detail when the user changes something. */
export class Settings extends EventTarget {
  #look = PLAIN_LOOK;

  constructor(offer) {
    super();
    this.offer = offer;
    this.form = find("form");
    this.colour = new ColourField("colour", () => this.#changed());
    this.chosen = new PresetPills({ name: "preset", offer, others: [["", t("settings.any-use")]] });
    this.form.append(...this.#parts());
    this.form.addEventListener("change", (event) => this.#changed(event.target));
    this.form.addEventListener("input", () => this.#show());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.look = PLAIN_LOOK;
  }

  get look() {
    return this.#look;
  }

  /** Show a look in the form, without dispatching "change". */
  set look(look) {
    this.#look = Object.freeze({ ...PLAIN_LOOK, ...look });
    this.chosen.value = this.#look.preset;
    this.form.elements.repair.checked = this.#look.repair;
    this.#menus();
    for (const name of ["background", "frame"]) this.#check(name, this.#look[name]);
    for (const name of ["margin", "shadow", "shadow_opacity", "format", "max_px"]) this.form.elements[name].value = this.#look[name];
    this.colour.value = this.#look.colour;
    this.#show();
  }

  /** The chosen presets, with the service's descriptions. */
  get presets() {
    return presetsOf(this.offer, { preset: this.chosen.value });
  }

  /** The look in a few words, for the folded form. */
  get summary() {
    const chosen = (name) => this.form.querySelector(`[name=${name}]:checked`)?.nextSibling.textContent;
    const { presets } = this;
    return [presets.length ? list(presets.map(presetShort)) : null, chosen("background"), presets.length ? null : chosen("frame")]
      .filter(Boolean).join(", ");
  }

  /** Show a message about conflicting choices; "" removes it. */
  complain(words) {
    find("complaint").textContent = words;
    find("complaint").hidden = !words;
  }

  get contradiction() {
    const wrong = contradiction(this.#look, this.offer);
    return wrong ? t(...wrong) : "";
  }

  #parts() {
    const longest = Object.fromEntries(LONGEST.map((px) => [px, px ? t("settings.max-px.some", { px }) : t("settings.max-px.none")]));
    return [
      make("p", { id: "complaint", className: "complaint", role: "alert", hidden: true }),
      make("fieldset", { id: "preset" }, make("legend", {}, t("settings.ready-for")), this.chosen.place,
        make("div", { id: "preset-about", className: "fine" }),
        make("p", { className: "switch" }, make("label", { htmlFor: "repair" }, make("input", { type: "checkbox", id: "repair", name: "repair", checked: true }), t("settings.repair")))),
      make("fieldset", { id: "backgrounds" }, make("legend", {}, t("settings.background")), make("div", { className: "pills", id: "background-pills" }),
        this.colour.row, this.#pictureRow()),
      group(t("settings.frame"), "frame", Object.keys(FRAMES).map((name) => pill("frame", name, t(`settings.frame.${name || "whole"}`), { checked: !name })),
        range("margin", t("settings.margin"), { min: 0, max: 30, value: 5 })),
      make("div", { className: "pair" }, select("shadow", t("settings.shadow")), select("format", t("settings.format"))),
      range("shadow_opacity", t("settings.shadow-opacity"), { min: 10, max: 100, step: 5, value: 50 }),
      make("div", { className: "pair" }, select("max_px", t("settings.max-px"), longest)),
    ];
  }

  /** Fill the menus whose first entry depends on the preset. */
  #menus() {
    const { presets } = this;
    const asked = Object.assign({}, ...presets.map(({ options }) => options));
    const before = this.#value("background");
    find("background-pills").replaceChildren(...backgroundPills("background", presets));
    this.#check("background", before);
    this.#fill("shadow", asked.shadow ? t("settings.as-asked") : choice("shadow", "none"), (value) => asked.shadow || value !== "none");
    this.#fill("format", asked.format ? t("settings.as-asked") : t("settings.as-fits"), () => true);
  }

  #pictureRow() {
    const file = make("input", { type: "file", id: "background-picture", accept: accepted(this.offer) });
    file.addEventListener("change", (event) => {
      event.stopPropagation();
      if (file.files[0]) this.#changed(null, { picture: file.files[0] });
      file.value = ""; // so that the user can pick the same file again
    });
    return make("p", { className: "extra", id: "picture-row" }, make("label", { for: "background-picture" }, t("settings.which-picture")), file,
      make("span", { id: "picture-name", className: "fine" }));
  }

  #fill(name, first, wanted) {
    const field = this.form.elements[name];
    const before = field.value;
    const choices = this.offer.options.find((option) => option.name === name)?.choices ?? [];
    const entries = choices.filter(wanted).map((value) => make("option", { value }, (name === "format" && this.#format(value)?.title) || choice(name, value)));
    field.replaceChildren(make("option", { value: "" }, first), ...entries);
    field.value = entries.some(({ value }) => value === before) ? before : "";
  }

  #format(name) {
    return this.offer.formats.find((format) => format.name === name);
  }

  #check(name, value) {
    const wanted = [...this.form.querySelectorAll(`[name=${name}]`)].find((input) => input.value === value);
    (wanted ?? this.form.querySelector(`[name=${name}]`)).checked = true;
  }

  #changed(target = null, more = {}) {
    if (target?.name === "preset") this.#menus();
    const before = this.#look;
    const read = Object.fromEntries(["background", "frame", "shadow", "format"].map((name) => [name, this.#value(name)]));
    const numbers = Object.fromEntries(["margin", "shadow_opacity", "max_px"].map((name) => [name, Number(this.#value(name)) || ""]));
    this.#look = Object.freeze({ ...before, preset: this.chosen.value, repair: this.form.elements.repair.checked, ...read, ...numbers,
      margin: Number(this.#value("margin")), colour: this.colour.value, ...more });
    this.#show();
    if (Object.keys(difference(before, this.#look)).length) this.dispatchEvent(new CustomEvent("change", { detail: { before, after: this.#look } }));
  }

  /** Show only the controls that matter for the chosen values. */
  #show() {
    const background = this.#value("background");
    this.colour.row.hidden = background !== "colour";
    find("picture-row").hidden = background !== "picture";
    find("picture-name").textContent = this.#look.picture?.name ?? "";
    const { presets } = this;
    find("frame").hidden = presets.length > 0;
    find("margin").closest("p").hidden = !this.#value("frame");
    find("max_px").closest("p").hidden = presets.length > 0;
    find("repair").closest("p").hidden = !presets.length;
    find("shadow_opacity").closest("p").hidden = !casts({ shadow: this.#value("shadow") });
    find("preset-about").replaceChildren(...aboutPresets(presets));
    find("summary").textContent = this.summary;
    for (const output of this.form.querySelectorAll("output")) output.textContent = percent(find(output.htmlFor.value).value / 100);
  }

  #value(name) {
    return new FormData(this.form).get(name) ?? "";
  }
}

/** Pills for the background. presets: the chosen ones. */
export function backgroundPills(name, presets) {
  const asked = presets.some(({ options }) => options.background);
  const swatch = (kind) => make("i", { className: `swatch ${kind}`, ariaHidden: "true" });
  const asPreset = presets.length > 1 ? t("settings.as-each") : presets[0]?.source ? t("settings.as-preset", { preset: presetShort(presets[0]) }) : t("settings.as-chosen");
  const entries = [asked ? ["", asPreset, null] : ["", t("settings.background.transparent"), "clear"],
    asked ? ["transparent", t("settings.background.transparent"), "clear"] : null, ["white", t("settings.background.white"), "white"],
    ["colour", t("settings.background.colour"), null], ["picture", t("settings.background.picture"), null], ["blur", t("settings.background.blur"), null]];
  return entries.filter(Boolean).map(([value, words, kind]) => pill(name, value, words, { checked: !value, mark: kind && swatch(kind) }));
}

function group(title, id, pills, ...more) {
  return make("fieldset", { id }, make("legend", {}, title), make("div", { className: "pills" }, pills), more);
}

function select(name, words, entries = {}) {
  // Objects list integer keys first, so the empty entry is moved to the front again.
  const sorted = Object.entries(entries).sort(([one], [other]) => (one === "" ? -1 : other === "" ? 1 : one - other));
  const options = sorted.map(([value, text]) => make("option", { value }, text));
  return make("p", {}, make("label", { for: name }, words), make("select", { id: name, name }, options));
}

function range(name, words, limits) {
  const input = make("input", { type: "range", id: name, name, ...limits });
  return make("p", { className: "range" }, make("label", { for: name }, words), make("output", { htmlFor: name }), input);
}
