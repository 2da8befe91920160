// The photos as cards: a small picture, the state, and actions.

import { showChips, showForAll } from "./chips.js";
import { find, make, pill } from "./dom.js";
import { bytes, number, t } from "./language.js";
import { enlargement, inShort, lookBadge, verdict } from "./report.js";
import { draw } from "./thumbnail.js";
import { extension } from "./names.js";

const FILTERS = {
  all: () => true,
  look: (photo) => photo.needsLook,
  rules: (photo) => photo.breaksRules,
  failed: (photo) => photo.failure,
};

/**
 * One list item for each photo. onOpen(photo, mode): opens it at full size; onRemove(photo), onEnlarge(photo).
 * onSave(photo, { each }): downloads the shown picture, or with `each` all its pictures.
 */
export class List {
  #cards = new Map();
  #filter = "all";

  constructor({ photos, work, onOpen, onRemove, onEnlarge, onSave }) {
    Object.assign(this, { photos, work, onOpen, onRemove, onEnlarge, onSave });
    this.sight = new IntersectionObserver((seen) => this.#sees(seen), { rootMargin: "50% 0px" });
    find("filters").addEventListener("change", (event) => { this.#filter = event.target.value; this.update(); });
  }

  update(photo = null) {
    if (!photo) this.#arrange();
    for (const each of photo ? [photo] : this.photos.all) this.#show(each);
    this.#showFilters();
    showForAll(find("shown"), this.photos, this.work);
  }

  focus(photo) {
    this.#cards.get(photo)?.querySelector(".open").focus();
  }

  #arrange() {
    for (const [photo, card] of this.#cards) {
      if (this.photos.all.includes(photo)) continue;
      this.sight.unobserve(card);
      this.work.inSight.delete(photo);
      card.remove();
      this.#cards.delete(photo);
    }
    this.photos.all.forEach((photo, index) => {
      const card = this.#cards.get(photo) ?? this.#newCard(photo);
      const there = find("cards").children[index];
      if (there !== card) find("cards").insertBefore(card, there ?? null);
    });
    find("photos").hidden = !this.photos.all.length;
    document.body.classList.toggle("filled", this.photos.all.length > 0);
  }

  #newCard(photo) {
    const card = find("card").content.firstElementChild.cloneNode(true);
    const part = (name) => card.querySelector(name);
    card.dataset.photo = photo.id;
    part(".name").textContent = photo.name;
    part(".name").title = photo.name;
    part(".open span").textContent = t("card.open", { name: photo.name });
    part(".open").addEventListener("click", () => this.onOpen(photo, "compare"));
    part(".paint").addEventListener("click", () => this.onOpen(photo, "paint"));
    part(".again").addEventListener("click", () => this.work.retry(photo));
    part(".remove").addEventListener("click", () => this.#remove(photo));
    part(".enlarge").addEventListener("click", () => this.onEnlarge(photo));
    part(".save").addEventListener("click", () => this.onSave(photo));
    part(".save-each").addEventListener("click", () => this.onSave(photo, { each: true }));
    part(".chips").setAttribute("aria-label", t("viewer.pictures"));
    for (const name of [".save", ".save-each", ".again", ".paint", ".enlarge", ".remove"]) {
      part(name).setAttribute("aria-label", t("card.of", { action: part(name).textContent, name: photo.name }));
    }
    part("progress").setAttribute("aria-label", t("card.progress", { name: photo.name }));
    this.#cards.set(photo, card);
    this.sight.observe(card);
    return card;
  }

  #sees(seen) {
    const photoOf = new Map([...this.#cards].map(([photo, card]) => [card, photo]));
    for (const { target, isIntersecting } of seen) {
      const photo = photoOf.get(target);
      if (isIntersecting && photo) this.work.inSight.add(photo);
      else this.work.inSight.delete(photo);
      if (photo && isIntersecting) this.#show(photo);
    }
  }

  // The focus moves to the neighbour, not to the top of the page.
  #remove(photo) {
    const card = this.#cards.get(photo);
    const neighbour = card.nextElementSibling ?? card.previousElementSibling;
    this.onRemove(photo);
    (neighbour?.querySelector(".remove") ?? find("pick")).focus();
  }

  #show(photo) {
    const card = this.#cards.get(photo);
    if (!card) return;
    const part = (name) => card.querySelector(name);
    const settled = this.work.isSettled(photo);
    card.hidden = !FILTERS[this.#filter](photo);
    card.classList.toggle("pending", !photo.result);
    card.classList.toggle("failed", Boolean(photo.failure));
    part(".state").textContent = stateOf(photo, settled, this.work.stopped);
    showProgress(part("progress"), photo, settled);
    part(".badges").replaceChildren(...badges(photo));
    part(".enlarge").hidden = !enlargement(photo);
    showChips(part(".chips"), photo.failure ? null : photo, (preset) => { photo.shown = preset; this.photos.changed(photo); });
    part(".why").textContent = photo.isMade ? inShort(photo.result.facts.preset) : "";
    part(".save").hidden = !photo.isMade;
    part(".save-each").hidden = !photo.isMade || !photo.isSeveral;
    part(".again").hidden = !photo.failure || photo.failure.permanent;
    part(".paint").hidden = photo.failure?.problem.slug !== "no-foreground";
    if (this.work.inSight.has(photo)) this.#draw(part("canvas"), photo.result?.blob ?? photo.file);
  }

  async #draw(canvas, blob) {
    if (canvas.source === blob) return;
    canvas.source = blob;
    if (!(await draw(canvas, blob))) canvas.classList.add("unreadable");
    else canvas.classList.remove("unreadable");
  }

  /** Show only filters that match photos, and none if all photos are in the same state. */
  #showFilters() {
    const shown = Object.entries(FILTERS).map(([name, test]) => [name, this.photos.all.filter(test).length])
      .filter(([name, count]) => count || name === this.#filter)
      .map(([name, count]) => [name, `${t(`filter.${name}`)} (${number(count)})`]);
    const words = shown.map(([, text]) => text).join();
    const place = find("filters");
    place.hidden = shown.length < 2;
    if (place.dataset.words === words) return;
    place.dataset.words = words;
    const held = place.contains(document.activeElement);
    const pills = shown.map(([name, text]) => pill("filter", name, text, { checked: name === this.#filter }));
    place.replaceChildren(make("legend", { className: "hidden" }, t("photos.show")), ...pills);
    if (held) place.querySelector(":checked").focus();
  }
}

export function badges(photo) {
  if (!photo.result || photo.failure) return [];
  return [photo.needsLook ? lookBadge() : null, photo.isSeveral ? null : verdict(photo.result.facts.preset, photo.needsLook)].filter(Boolean);
}

/** A photo's state in words. */
export function stateOf(photo, settled, stopped) {
  if (photo.failure) return photo.failure.problem.message;
  if (settled) return t(`state.${photo.needsLook ? "look" : photo.result.facts.preset?.passed === false ? "made" : "ready"}`, { picture: shapeOf(photo.result.facts) });
  if (!photo.running && stopped) return t("state.not-made");
  if (!photo.running) return t(photo.result ? "state.waiting-again" : "state.waiting");
  if (photo.running.waits) return t(photo.running.waits === "key" ? "state.waiting-key" : "state.waiting-service");
  if (photo.running.sent < 0.995) return t("state.sending", { sent_share: photo.running.sent });
  return t(photo.result ? "state.working-again" : "state.working");
}

const shapeOf = ({ width, height, ...facts }) => `${number(width)} \u00d7 ${number(height)} px, ${extension(facts).toUpperCase()}`;

export const factsOf = ({ facts, blob }) => `${shapeOf(facts)}, ${bytes(blob.size)}`;

function showProgress(bar, photo, settled) {
  bar.hidden = settled;
  const sent = photo.running && !photo.running.waits ? photo.running.sent : 0;
  // Sending is a third of the bar. Without a value the bar is indeterminate.
  if (sent >= 1) bar.removeAttribute("value");
  else bar.value = photo.running ? sent / 3 : 0;
}
