// The service's report on a picture, in words: a marketplace's rules, notes, and confidence.

import { make } from "./dom.js";
import { hintTexts, presetShort, presetTitle, repairText, ruleText } from "./explain.js";
import { t } from "./language.js";

/** The required rules that failed. */
export const missed = (preset) => preset.checks.filter((check) => !check.passed && check.required !== false);

const LARGEST_UPSCALE = 4;

/** The enlargement factor that a photo needs for its marketplaces' sizes; 0 if enlarging does not help. */
export function enlargement(photo) {
  if (!photo.breaksRules) return 0;
  const factors = photo.results.flatMap(({ facts }) => (facts.preset ? missed(facts.preset) : []).map((check) => scaleOf(facts) * lacking(check)));
  const factor = Math.ceil(100 * Math.max(0, ...factors.filter((each) => each <= LARGEST_UPSCALE))) / 100;
  return factor > 1 && factor > (photo.own.max_upscale ?? 1) ? factor : 0;
}

const lacking = ({ facts: { needed_px: needed, product_px: there } = {} }) => (needed && there ? needed / there : 0);

// The product's scale in the picture relative to the photo.
const scaleOf = ({ product, box }) => (product.right - product.left) / Math.max(1, box.right - box.left);

/** A picture's state for its marketplace: a class and a mark. Rules do not cover the cutout: ready also needs a good one. */
export function standing(preset, needsLook) {
  if (!preset.passed) return { kind: "bad", mark: "\u2715 " };
  return needsLook ? { kind: "look", mark: "! " } : { kind: "good", mark: "\u2713 " };
}

export function verdictText(preset, needsLook) {
  const name = presetShort(preset);
  if (!preset.passed) return t("report.missed", { preset: name, count: missed(preset).length });
  return t(needsLook ? "report.met" : "report.ready", { preset: name });
}

/** The state as a badge, or null. Next to the badge "Please look" it has no mark. */
export function verdict(preset, needsLook) {
  if (!preset) return null;
  const { kind, mark } = standing(preset, needsLook);
  return kind === "look" ? make("span", { className: "badge" }, verdictText(preset, needsLook))
    : make("span", { className: `badge ${kind}` }, mark + verdictText(preset, needsLook));
}

export const lookBadge = () => make("span", { className: "badge look" }, `! ${t("report.look")}`);

/** The whole report as lists. offered: the preset from GET /v1/about, or undefined. */
export function rules(preset, offered) {
  const [open, met] = [preset.checks.filter(({ passed }) => !passed), preset.checks.filter(({ passed }) => passed)];
  const folded = make("details", { open: !open.length }, make("summary", {}, t("report.rules-met", { count: met.length })), make("ul", {}, met.map(line)));
  const hints = offered ? hintTexts(offered) : [];
  return make("section", { className: "rules" }, make("h3", {}, presetTitle(preset)),
    open.length || preset.repairs?.length ? make("ul", {}, open.sort((one, other) => weight(one) - weight(other)).map(line), (preset.repairs ?? []).map(repaired)) : null,
    met.length ? folded : null,
    hints.length ? make("details", { className: "hints", open: true }, make("summary", {}, t("report.hints")), make("ul", { className: "notes" }, hints.map((hint) => make("li", {}, hint)))) : null);
}

/** A picture's report for a card: failed rules with advice, else repairs. */
export function inShort(preset) {
  if (!preset) return "";
  const [first] = missed(preset);
  if (first) return ruleText(first, { short: true });
  return preset.repairs?.length ? `${t("rule.repaired")} ${repairText(preset.repairs[0])}` : "";
}

function repaired(repair) {
  return make("li", { className: "good" }, make("span", { className: "mark", ariaHidden: "true" }, "\u270e"),
    make("span", {}, make("strong", {}, `${t("rule.repaired")} `), repairText(repair)));
}

// Failed required rules come first.
const weight = (check) => Number(check.required === false);

function line(check) {
  const [kind, mark, verdictKey] = check.passed ? ["good", "\u2713", "rule.met"]
    : check.required === false ? ["look", "!", "rule.better"] : ["bad", "\u2715", "rule.missed"];
  return make("li", { className: kind }, make("span", { className: "mark", ariaHidden: "true" }, mark),
    make("span", {}, make("strong", {}, `${t(verdictKey)} `), ruleText(check)));
}
