// Next to the large picture: its quality, rules, notes and actions.

import { make } from "./dom.js";
import { noteText } from "./explain.js";
import { t } from "./language.js";
import { factsOf } from "./list.js";
import { enlargement, lookBadge, rules, verdict } from "./report.js";

/** A picture's quality and actions. onSave({ each }): downloads it, or each picture of the photo. onEnlarge: enlarges it as its rules require. */
export function facts(photo, { onSave, onRetry, onEnlarge }) {
  if (photo.failure) return failed(photo.failure, onRetry);
  if (!photo.result) return [];
  const shown = [photo.needsLook ? lookBadge() : null, verdict(photo.result.facts.preset, photo.needsLook)].filter(Boolean);
  return [
    shown.length ? make("p", { className: "badges" }, shown) : null,
    make("p", {}, factsOf(photo.result)),
    photo.result.facts.review ? doubt(photo) : null,
    make("button", { type: "button", className: "strong", onclick: () => onSave() }, t("card.download")),
    photo.isSeveral ? make("button", { type: "button", onclick: () => onSave({ each: true }) }, t("card.download-each")) : null,
    enlargement(photo) ? make("button", { type: "button", onclick: onEnlarge }, t("card.enlarge")) : null,
  ].filter(Boolean);
}

/** The service's full report on the picture. offer: from GET /v1/about. */
export function more(photo, offer) {
  if (!photo.isMade) return [];
  const { confidence, notes, note_facts: noted = [], preset } = photo.result.facts;
  return [
    preset ? rules(preset, offer.presets.find(({ name }) => name === preset.name)) : null,
    notes.length ? make("section", {}, make("h3", {}, t("facts.notes")), make("ul", { className: "notes" }, notes.map((note, index) => make("li", {}, noteText(note, noted[index]))))) : null,
    confidence === null ? null : make("p", { className: "fine" }, sureness(confidence)),
  ].filter(Boolean);
}

function failed({ problem, permanent }, onRetry) {
  const words = make("p", { className: "complaint" }, problem.message);
  return permanent ? [words] : [words, make("button", { type: "button", onclick: onRetry }, t("card.again"))];
}

function doubt(photo) {
  return make("section", { className: "doubt" }, make("p", {}, t("facts.doubtful")), photo.looked ? make("p", { className: "fine" }, t("facts.looked")) : null);
}

// The mean overlap of similar cutouts with a perfect one: docs/decisions/0018-confidence.md.
function sureness(confidence) {
  return t("facts.sureness", { right_share: confidence });
}
