// Beside the large picture: how it turned out, the rules, what the service noticed, and what can be done with it.

import { make, saveAs } from "./dom.js";
import { noteText } from "./explain.js";
import { t } from "./language.js";
import { badges, factsOf } from "./list.js";
import { enlargement, rules } from "./report.js";

/** How a picture turned out, and what can be done with it. onSaved: it was downloaded. onEnlarge: it is to be as large as its rules require. */
export function facts(photo, { onSaved, onRetry, onEnlarge }) {
  if (photo.failure) return failed(photo.failure, onRetry);
  if (!photo.result) return [];
  return [
    badges(photo).length ? make("p", { className: "badges" }, badges(photo)) : null,
    make("p", {}, factsOf(photo.result)),
    photo.result.facts.review ? doubt(photo) : null,
    make("button", { type: "button", className: "strong", onclick: () => { saveAs(photo.result.blob, photo.outputName); onSaved(); } }, t("card.download")),
    enlargement(photo) ? make("button", { type: "button", onclick: onEnlarge }, t("card.enlarge")) : null,
  ].filter(Boolean);
}

/** All that the service found out about it. */
export function more(photo) {
  if (!photo.isMade) return [];
  const { confidence, notes, note_facts: noted = [], preset } = photo.result.facts;
  return [
    preset ? rules(preset) : null,
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

// The overlap with a perfect cutout that cutouts like it have in the mean: docs/decisions/0018-confidence.md.
function sureness(confidence) {
  return t("facts.sureness", { right_share: confidence });
}
