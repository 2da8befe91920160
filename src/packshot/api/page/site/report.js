// What the service found out about a picture, in words: the rules of a marketplace, notes, how sure it is.

import { make } from "./dom.js";
import { ruleText } from "./explain.js";
import { t } from "./language.js";
import { shortTitle } from "./settings.js";

/** The rules that decide and are not kept. */
export const missed = (preset) => preset.checks.filter((check) => !check.passed && check.required !== false);

/** A badge: how a picture stands with its marketplace, or null. Rules say nothing of the cutout: ready is what looks good too. */
export function verdict(preset, needsLook) {
  if (!preset) return null;
  const name = shortTitle(preset.title);
  if (preset.passed && needsLook) return make("span", { className: "badge" }, t("report.met", { preset: name }));
  if (preset.passed) return make("span", { className: "badge good" }, `\u2713 ${t("report.ready", { preset: name })}`);
  return make("span", { className: "badge bad" }, `\u2715 ${t("report.missed", { preset: name, count: missed(preset).length })}`);
}

export const lookBadge = () => make("span", { className: "badge look" }, `! ${t("report.look")}`);

/** The whole report as a list. */
export function rules(preset) {
  return make("section", { className: "rules" }, make("h3", {}, preset.title),
    make("ul", {}, [...preset.checks].sort((one, other) => weight(one) - weight(other)).map(line)));
}

// What is to be mended stands first.
const weight = (check) => (check.passed ? 2 : Number(check.required === false));

function line(check) {
  const [kind, mark, verdictKey] = check.passed ? ["good", "\u2713", "rule.met"]
    : check.required === false ? ["look", "!", "rule.better"] : ["bad", "\u2715", "rule.missed"];
  return make("li", { className: kind }, make("span", { className: "mark", ariaHidden: "true" }, mark),
    make("span", {}, make("strong", {}, `${t(verdictKey)} `), ruleText(check)));
}
