// What the service found out about a picture, in words: the rules of a marketplace, notes, how sure it is.

import { make } from "./dom.js";
import { presetShort, presetTitle, ruleText } from "./explain.js";
import { t } from "./language.js";

/** The rules that decide and are not kept. */
export const missed = (preset) => preset.checks.filter((check) => !check.passed && check.required !== false);

const LARGEST_UPSCALE = 4;

/** How many times a picture must be enlarged to be as large as its marketplace requires; 0 where that is not what it needs. */
export function enlargement(photo) {
  if (!photo.breaksRules) return 0;
  const factors = missed(photo.result.facts.preset).map(({ facts: { needed_px: needed, product_px: there } = {} }) => (needed && there ? needed / there : 0));
  const factor = Math.ceil(100 * Math.max(0, ...factors)) / 100;
  return factor > 1 && factor <= LARGEST_UPSCALE && factor > (photo.own.max_upscale ?? 1) ? factor : 0;
}

/** A badge: how a picture stands with its marketplace, or null. Rules say nothing of the cutout: ready is what looks good too. */
export function verdict(preset, needsLook) {
  if (!preset) return null;
  const name = presetShort(preset);
  if (preset.passed && needsLook) return make("span", { className: "badge" }, t("report.met", { preset: name }));
  if (preset.passed) return make("span", { className: "badge good" }, `\u2713 ${t("report.ready", { preset: name })}`);
  return make("span", { className: "badge bad" }, `\u2715 ${t("report.missed", { preset: name, count: missed(preset).length })}`);
}

export const lookBadge = () => make("span", { className: "badge look" }, `! ${t("report.look")}`);

/** The whole report as a list. */
export function rules(preset) {
  const [open, met] = [preset.checks.filter(({ passed }) => !passed), preset.checks.filter(({ passed }) => passed)];
  const folded = make("details", { open: !open.length }, make("summary", {}, t("report.rules-met", { count: met.length })), make("ul", {}, met.map(line)));
  return make("section", { className: "rules" }, make("h3", {}, presetTitle(preset)),
    make("ul", {}, open.sort((one, other) => weight(one) - weight(other)).map(line)), met.length ? folded : null);
}

// What is to be mended stands first.
const weight = (check) => Number(check.required === false);

function line(check) {
  const [kind, mark, verdictKey] = check.passed ? ["good", "\u2713", "rule.met"]
    : check.required === false ? ["look", "!", "rule.better"] : ["bad", "\u2715", "rule.missed"];
  return make("li", { className: kind }, make("span", { className: "mark", ariaHidden: "true" }, mark),
    make("span", {}, make("strong", {}, `${t(verdictKey)} `), ruleText(check)));
}
