// The photo and all its pictures side by side, each with its state and notes.

import { find, make } from "./dom.js";
import { number, t } from "./language.js";

/** onOpen(index): called to compare a picture with the photo. */
export class Pictures {
  #shown = "";
  #matte = false;

  constructor({ batch, onOpen }) {
    Object.assign(this, { batch, onOpen, place: find("pictures") });
  }

  async show(photo) {
    const key = `${photo.id} ${photo.outputs.map((output) => output.version)}`;
    if (key === this.#shown) return;
    const other = !this.#shown.startsWith(photo.id);
    this.#shown = key;
    if (other) this.#matte = false;
    const figures = [this.#photo(photo), ...photo.outputs.map((output, index) => this.#output(photo, output, index))];
    this.place.replaceChildren(...figures);
    if (this.#matte) this.#showMatte(photo);
  }

  /** Show or hide the matte over the photo. Fetched on first use. */
  async toggleMatte(photo) {
    this.#matte = !this.#matte;
    await this.#showMatte(photo);
  }

  async #showMatte(photo) {
    const frame = this.place.querySelector(".frame.photo");
    const button = this.place.querySelector(".matte");
    if (!frame) return;
    button.setAttribute("aria-pressed", this.#matte);
    frame.querySelector(".over")?.remove();
    frame.classList.remove("shows-matte");
    if (!this.#matte) return;
    const url = URL.createObjectURL(await this.batch.preview(photo, null));
    if (!this.#matte || !frame.isConnected) return;
    const image = make("img", { src: url, alt: "", className: "over" });
    image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    frame.append(image);
    frame.classList.add("shows-matte");
  }

  #photo(photo) {
    const frame = make("div", { className: "frame photo" });
    fill(frame, this.batch.photoUrl(photo), t("review.photo"));
    const matte = make("button", { type: "button", className: "matte", "aria-pressed": "false" }, t("review.matte"), " ", make("kbd", {}, "M"));
    matte.addEventListener("click", () => this.toggleMatte(photo));
    const head = make("p", { className: "head" }, make("strong", {}, t("review.photo")), matte);
    return make("figure", {}, frame, make("figcaption", {}, head));
  }

  #output(photo, output, index) {
    const title = output.title ?? output.name;
    const size = output.ok ? `${number(output.width)} \u00d7 ${number(output.height)}` : "";
    const sure = output.confidence === null ? null : t("review.sure", { share: output.confidence });
    const facts = [size, sure].filter(Boolean).join(", ");
    const said = make("figcaption", { tabIndex: 0 },
      make("p", { className: "head" }, make("strong", {}, title), make("span", { className: "fine" }, facts)), words(output));
    if (!output.ok) {
      const why = t("review.no-picture", { why: `${output.error?.message ?? ""} ${output.error?.hint ?? ""}`.trim() });
      return make("figure", {}, make("div", { className: "frame photo" }, make("p", { className: "none" }, why)), said);
    }
    const frame = make("button", { type: "button", className: "frame see-through", "aria-label": t("review.enlarge", { name: title }) });
    frame.addEventListener("click", () => this.onOpen(index));
    fill(frame, this.batch.outputUrl(photo, index), title);
    return make("figure", {}, frame, said);
  }
}

function words({ preset, checks, notes, repairs }) {
  const items = [
    ...checks.map(({ message, required }) => make("li", { className: required ? "must" : "should" }, message)),
    ...repairs.map((what) => make("li", {}, t("review.repaired", { what }))),
    ...notes.map((note) => make("li", {}, note)),
  ];
  if (preset && !checks.some(({ required }) => required)) items.unshift(make("li", { className: "ready" }, t("review.ready")));
  return items.length ? make("ul", {}, items) : null;
}

async function fill(frame, coming, alt) {
  try {
    const image = make("img", { src: await coming, alt, className: "plain" });
    image.addEventListener("error", () => image.replaceWith(make("p", { className: "none" }, t("review.photo-hidden"))));
    frame.prepend(image);
  } catch (error) {
    frame.prepend(make("p", { className: "none" }, error.message));
  }
}
