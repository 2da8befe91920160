// Beside the large picture: how it turned out, the rules, what the service noticed, and what can be done with it.

import { make, saveAs } from "./dom.js";
import { badges, factsOf } from "./list.js";
import { rules } from "./report.js";
import { plain } from "./words.js";

/** The parts of the panel. onLooked: somebody looked at a doubtful picture and finds it good. */
export function facts(photo, { onLooked, onRetry }) {
  if (photo.failure) return failed(photo.failure, onRetry);
  if (!photo.result) return [];
  const { facts: { review, confidence, notes, preset } } = photo.result;
  return [
    badges(photo).length ? make("p", { className: "badges" }, badges(photo)) : null,
    make("p", {}, factsOf(photo.result)),
    review ? doubt(photo, onLooked) : null,
    make("button", { type: "button", className: "strong", onclick: () => { saveAs(photo.result.blob, photo.outputName); photo.saved = true; } }, "Download"),
    preset ? rules(preset) : null,
    notes.length ? make("section", {}, make("h3", {}, "Good to know"), make("ul", { className: "notes" }, notes.map((note) => make("li", {}, plain(note))))) : null,
    confidence === null ? null : make("p", { className: "fine" }, sureness(confidence)),
  ].filter(Boolean);
}

function failed({ problem, permanent }, onRetry) {
  const words = make("p", { className: "complaint" }, problem.message);
  return permanent ? [words] : [words, make("button", { type: "button", onclick: onRetry }, "Try again")];
}

function doubt(photo, onLooked) {
  if (photo.looked) return make("p", { className: "fine" }, "You looked at this one and found it good.");
  return make("section", { className: "doubt" },
    make("p", {}, "Look at it before you use it: this one is doubtful. Compare the edges with the photo; what is wrong, mend with Touch up."),
    make("button", { type: "button", id: "looked", onclick: onLooked }, "Looks good"));
}

// The overlap with a perfect cutout that cutouts like it have in the mean: docs/decisions/0018-confidence.md.
function sureness(confidence) {
  return `Cut-outs like this one are ${Math.round(100 * confidence)}\u00a0% right on average.`;
}
