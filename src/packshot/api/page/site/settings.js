// The form "How they should look": menus made from what the service offers, and the options that they stand for.

import { find, make, pill } from "./dom.js";
import { accepted, choice } from "./words.js";

const FRAMES = {
  "": ["The whole photo", {}],
  close: ["Close around the product", { crop: "true" }],
  square: ["Square", { canvas: "1:1" }],
  upright: ["Upright, 4 to 5", { canvas: "4:5" }],
};
const LONGEST = { "": "No limit", 1000: "1000 px", 1600: "1600 px", 2000: "2000 px", 3000: "3000 px" };
const ENLARGE = { "": "Never", 1.5: "Up to 1.5 times", 2: "Up to 2 times", 4: "Up to 4 times" };

/** Says "change" when somebody changed something. */
export class Settings extends EventTarget {
  #picture = null;
  #pictures = 0;

  constructor(offer) {
    super();
    this.offer = offer;
    this.form = find("form");
    this.form.append(...this.#parts());
    this.form.addEventListener("change", (event) => this.#changed(event.target));
    this.form.addEventListener("input", () => this.#show());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.#menus();
    this.#show();
  }

  /** The chosen preset as the service describes it, or null. */
  get preset() {
    return this.offer.presets.find((preset) => preset.name === this.#value("preset")) ?? null;
  }

  /** What is asked for: { key, options, picture }. options: texts by the names that the API has for them. */
  get wish() {
    const options = { preset: this.#value("preset"), ...this.#background(), ...this.#frame(), format: this.#value("format"),
      max_upscale: this.#value("max_upscale"), ...this.#shadow() };
    const said = Object.fromEntries(Object.entries(options).filter(([, value]) => value));
    const picture = this.#value("background") === "picture" ? this.#picture : null;
    return { key: JSON.stringify([said, picture && this.#pictures]), options: said, picture };
  }

  /** What cannot be had together, in a sentence; "" when all can. */
  get contradiction() {
    const format = this.#value("background") === "transparent" && this.#format(this.#value("format"));
    if (format && !format.alpha) return `A ${format.title} cannot be transparent: choose another file type, or a background.`;
    const missing = this.#value("background") === "picture" && !this.#picture;
    return missing ? "Please choose the picture for the background." : "";
  }

  /** The same in a few words, for where the form is folded. */
  get summary() {
    const chosen = (name) => this.form.querySelector(`[name=${name}]:checked`)?.nextSibling.textContent;
    return [this.preset ? chosen("preset") : null, chosen("background"), this.preset ? null : chosen("frame")]
      .filter(Boolean).join(", ");
  }

  /** A sentence about options that contradict each other; "" takes it away. */
  complain(words) {
    find("complaint").textContent = words;
    find("complaint").hidden = !words;
  }

  #parts() {
    const presets = this.offer.presets.map(({ name, title }) => pill("preset", name, shortTitle(title)));
    return [
      make("p", { id: "complaint", className: "complaint", role: "alert", hidden: true }),
      group("Make it ready for", "preset", [pill("preset", "", "Any use", { checked: true }), ...presets],
        make("p", { id: "preset-about", className: "fine" })),
      make("fieldset", { id: "backgrounds" }),
      group("Frame", "frame", Object.entries(FRAMES).map(([value, [words]]) => pill("frame", value, words, { checked: !value })),
        range("margin", "Room around the product", { min: 0, max: 30, value: 5 })),
      make("div", { className: "pair" }, select("shadow", "Shadow"), select("format", "File type")),
      range("shadow_opacity", "Strength of the shadow", { min: 10, max: 100, step: 5, value: 50 }),
      make("div", { className: "pair" }, select("max_px", "Longest side, at most", LONGEST),
        select("max_upscale", "Enlarge what is small", ENLARGE)),
    ].filter(Boolean);
  }

  /** The menus whose first entry depends on the preset. */
  #menus() {
    const asked = this.preset?.options ?? {};
    find("backgrounds").replaceChildren(make("legend", {}, "Background"), this.#backgroundPills(asked), this.#extras());
    this.#fill("shadow", asked.shadow ? "As asked" : choice("shadow", "none"), (value) => asked.shadow || value !== "none");
    this.#fill("format", asked.format ? "As asked" : "As it fits best", () => true);
  }

  get #asPreset() {
    return this.preset.source ? `As ${shortTitle(this.preset.title)} asks` : "As chosen above";
  }

  #backgroundPills(asked) {
    const swatch = (kind) => make("i", { className: `swatch ${kind}`, ariaHidden: "true" });
    const entries = [asked.background ? ["", this.#asPreset, null] : ["", "Transparent", "clear"],
      asked.background ? ["transparent", "Transparent", "clear"] : null, ["white", "White", "white"],
      ["colour", "Colour", null], ["picture", "Picture", null], ["blur", "Blurred surroundings", null]];
    return make("div", { className: "pills" }, entries.filter(Boolean).map(([value, words, kind]) =>
      pill("background", value, words, { checked: !value, mark: kind && swatch(kind) })));
  }

  #extras() {
    const colour = make("input", { type: "color", id: "colour", value: "#f4efe6" });
    const file = make("input", { type: "file", id: "background-picture", accept: accepted(this.offer) });
    file.addEventListener("change", () => { this.#picture = file.files[0] ?? null; this.#pictures += 1; });
    return [make("p", { className: "extra", id: "colour-row" }, make("label", { for: "colour" }, "Which colour"), colour),
      make("p", { className: "extra", id: "picture-row" }, make("label", { for: "background-picture" }, "Which picture"), file)]
      .reduce((all, row) => { all.append(row); return all; }, make("div"));
  }

  #fill(name, first, wanted) {
    const choices = this.offer.options.find((option) => option.name === name)?.choices ?? [];
    const entries = choices.filter(wanted).map((value) => make("option", { value }, (name === "format" && this.#format(value)?.title) || choice(name, value)));
    find(name).replaceChildren(make("option", { value: "" }, first), ...entries);
  }

  #format(name) {
    return this.offer.formats.find((format) => format.name === name);
  }

  #changed(target) {
    if (target.name === "preset") this.#menus();
    this.#show();
    this.dispatchEvent(new Event("change"));
  }

  /** Show what matters for what is chosen. */
  #show() {
    const background = this.#value("background");
    const frame = this.#value("frame");
    find("colour-row").hidden = background !== "colour";
    find("picture-row").hidden = background !== "picture";
    find("frame").hidden = Boolean(this.preset);
    find("margin").closest("p").hidden = !frame;
    find("max_px").closest("p").hidden = Boolean(this.preset);
    find("shadow_opacity").closest("p").hidden = !this.#casts;
    find("preset-about").replaceChildren(...this.#aboutPreset());
    find("summary").textContent = this.summary;
    for (const output of this.form.querySelectorAll("output")) output.textContent = `${find(output.htmlFor.value).value} %`;
  }

  #aboutPreset() {
    if (!this.preset) return ["Any shop or page: you choose below."];
    const { about, source, checked } = this.preset;
    const words = [`${about} `, make("span", {}, `Rules as of ${checked}.`)];
    if (source) words.push(" ", make("a", { href: source, target: "_blank", rel: "noreferrer" }, "Where they stand"));
    return words;
  }

  get #casts() {
    return !["", "none"].includes(this.#value("shadow"));
  }

  #background() {
    const value = this.#value("background");
    if (value === "picture") return {};
    return { background: value === "colour" ? find("colour").value : value };
  }

  #frame() {
    if (this.preset) return {};
    const frame = this.#value("frame");
    const margin = frame ? `${find("margin").value}%` : "";
    return { ...FRAMES[frame][1], margin, max_px: this.#value("max_px") };
  }

  #shadow() {
    const opacity = this.#casts && this.#value("shadow") !== "photo" ? `${find("shadow_opacity").value}%` : "";
    return { shadow: this.#value("shadow"), shadow_opacity: opacity };
  }

  #value(name) {
    return new FormData(this.form).get(name) ?? "";
  }
}

/** "Amazon main image" is Amazon where there is little room. */
export const shortTitle = (title) => title.split(" ")[0];

function group(title, id, pills, ...more) {
  return make("fieldset", { id }, make("legend", {}, title), make("div", { className: "pills" }, pills), more);
}

function select(name, words, entries = {}) {
  // Whole numbers come first in an object: the empty entry is put in front again.
  const sorted = Object.entries(entries).sort(([one], [other]) => (one === "" ? -1 : other === "" ? 1 : one - other));
  const options = sorted.map(([value, text]) => make("option", { value }, text));
  return make("p", {}, make("label", { for: name }, words), make("select", { id: name, name }, options));
}

function range(name, words, limits) {
  const input = make("input", { type: "range", id: name, name, ...limits });
  return make("p", { className: "range" }, make("label", { for: name }, words), make("output", { htmlFor: name }), input);
}
