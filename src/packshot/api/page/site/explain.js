// The service's errors, notes and rules in the page's language. If the catalogue lacks the code, or a figure is missing,
// the page shows the service's English sentence.

import { figuresOf, has, list, number, t, translated } from "./language.js";
import { plain } from "./words.js";

/** The text of an error. problem: { slug, detail, hint, title, field, ...figures }. */
export function problemText({ detail = "", title = "", hint = "", ...problem }) {
  const { slug, field, format } = problem;
  const setting = `option.${field}`;
  const figures = has(setting) ? { ...problem, setting: t(setting) } : problem;
  const about = [field, format, ...Object.keys(figures)].map((name) => `error.${slug}.${name}`);
  return told([...about, `error.${slug}`], figures)
    ?? plain([detail || title || t("service.failed"), hint].filter(Boolean).join(" "));
}

/** The text of a note. sentence: the service's; fact: { code, ...figures }, or undefined. */
export function noteText(sentence, fact) {
  if (!fact) return plain(sentence);
  const { code, what, most, edges, size, frame } = fact;
  const written = { size: size && area(size), frame: frame && area(frame), edges: edges && sides(edges) };
  const figures = { ...fact, ...Object.fromEntries(Object.entries(written).filter(([, value]) => value)) };
  const kept = most === 1 ? [`note.${code}.${what}.never`] : [];
  return told([...kept, `note.${code}.${what}`, `note.${code}`], figures) ?? plain(sentence);
}

/** The text of a repair. repair: { code, message, facts }. */
export function repairText({ code, message, facts }) {
  const { percent, share, stored, rule } = facts;
  const written = { filled: percent === undefined ? undefined : shareOf(percent / 100), cleaned: share === undefined ? undefined : atMost(share),
    stored: stored && colours(stored) };
  return told([`repair.${code}.${rule}`, `repair.${code}`], { ...facts, ...Object.fromEntries(Object.entries(written).filter(([, value]) => value)) }) ?? plain(message);
}

/** A preset's hints: rules that cannot be measured. Unknown hints are shown in the service's words. */
export const hintTexts = ({ name, hints = [] }) => hints.map((hint, index) => translated(`hint.${name}.${index + 1}`, hint));

/**
 * The text of a checked rule: the demand, the measurement and, if it failed, advice.
 * short: for a card. If the photo is the cause, the reason and advice; else the demand.
 */
export function ruleText(check, { short = false } = {}) {
  const said = check.facts && RULES[check.rule]?.(check.facts, check);
  if (!said) return plain(check.message);
  const { demand = "", asked, measured = ["is"], advice } = said;
  const sentence = ([name, figures = {}]) => t(`rule.${check.rule}.${name}`, { asked, ...figures });
  const must = `${check.required === false ? "should" : "must"}${demand}`;
  const full = [[must], measured, check.passed ? null : advice];
  const parts = !short ? full : check.rule === "whole-product" ? [measured, advice] : check.facts.needed_px ? [advice] : [[must]];
  return parts.filter(Boolean).map(sentence).join(" ");
}

/** The description of a preset. */
export const presetAbout = ({ name, about }) => (has(`preset.${name}.about`) ? t(`preset.${name}.about`) : plain(about));

export const presetTitle = ({ name, title }) => (has(`preset.${name}.title`) ? t(`preset.${name}.title`) : title);

/** The short name of a preset: "Amazon main image" is Amazon. */
export const presetShort = ({ name, title }) => (has(`preset.${name}.short`) ? t(`preset.${name}.short`) : title.split(" ")[0]);

/** The first of these messages that exists and whose figures are all known, or null. */
function told(keys, figures) {
  const key = keys.find((each) => has(each) && [...figuresOf(each)].every((name) => name in figures));
  return key ? t(key, figures) : null;
}

const px = (count) => `${number(count)} px`;
const area = ([width, height]) => `${number(width)} \u00d7 ${number(height)}`;
const sides = (edges) => list(edges.map((edge) => t(`edge.${edge}`)));
const kilobytes = (count) => number(count, { style: "unit", unit: "kilobyte", maximumFractionDigits: 1 });
const megabytes = (count) => number(count, { style: "unit", unit: "megabyte", maximumFractionDigits: 2 });
const tenths = (share) => number(share, { style: "percent", maximumFractionDigits: 1 });
const shareOf = (share) => t("bounds.share", { share: tenths(share) });
const formatName = (name) => (name === "webp" ? "WebP" : name.toUpperCase());
const oneOf = (words) => list(words, "disjunction");

function bounds({ least, most }, unit, bare = unit) {
  if (least === undefined) return t("bounds.most", { most: unit(most) });
  if (most === undefined) return t("bounds.least", { least: unit(least) });
  return t("bounds.range", { least: bare(least), most: unit(most) });
}

/** The suffix of the demand's key for an upper bound only: some languages need another verb. */
const upTo = ({ least }) => (least === undefined ? "-most" : "");

/** A small share, rounded up, so that a nonzero share is never "0%". */
function atMost(share) {
  return share < 0.001 ? t("bounds.under", { most: tenths(0.001) }) : shareOf(Math.ceil(share * 1000 - 1e-6) / 1000);
}

// For each kind of rule, a function of the check's figures and the check. `asked` completes the demand. `demand` is the
// suffix of the demand's key if there are several. `measured` and `advice` are key suffixes with their figures.
const RULES = {
  background({ colour, transparent, share, border, traces }, { measured, passed }) {
    const name = colour === "#ffffff" ? t("rule.background.white") : colour;
    const asked = transparent ? t("rule.background.or-transparent", { colour: name }) : name;
    if (measured === "transparent") return { asked, measured: ["transparent"], advice: ["advice-colour"] };
    if (passed) return { asked, measured: [traces ? "traces" : "clean"] };
    return { asked, measured: [border ? "differs-border" : "differs", { differs: atMost(share) }], advice: ["advice"] };
  },
  "longest-side": side,
  "shortest-side": side,
  megapixels: (facts, { measured }) => ({
    demand: upTo(facts), asked: bounds(facts, number), advice: ["advice"],
    measured: ["is", { measured: number(measured, { maximumFractionDigits: 1 }) }] }),
  fill: (facts, { measured }) => ({
    demand: upTo(facts), asked: bounds(facts, shareOf), advice: [measured > facts.most ? "high" : "low"],
    measured: ["is", { filled: shareOf(facts.percent / 100) }] }),
  aspect: ({ width, height, size }) => ({
    demand: width === height ? "-square" : "", asked: `${width}:${height}`, measured: ["is", { size: area(size) }], advice: ["advice"] }),
  format: ({ allowed }, { measured }) => ({
    asked: oneOf(allowed.map(formatName)), measured: ["is", { measured: formatName(measured) }], advice: ["advice"] }),
  "file-size"({ least_kb: least, most_mb: most }, { measured }) {
    const low = measured < least * 1000;
    const asked = least === undefined ? bounds({ most }, megabytes) : t("bounds.range", { least: kilobytes(least), most: megabytes(most) });
    return {
      asked, demand: least === undefined ? "" : "-range", advice: [low ? "advice-low" : "advice"],
      measured: ["is", { measured: low ? kilobytes(Math.floor(measured / 100) / 10) : megabytes(measured / 1e6) }] };
  },
  animation: (_, { passed }) => ({ measured: [passed ? "one" : "several"], advice: ["advice"] }),
  "colour-mode": ({ allowed }, { measured }) => ({
    asked: oneOf(allowed.map(colours)), measured: ["is", { measured: colours(measured) }], advice: ["advice"] }),
  "bit-depth": ({ most }, { measured }) => ({
    asked: bounds({ most }, number), measured: ["is", { measured }], advice: ["advice", { most }] }),
  "whole-product": ({ edges }, { passed }) => ({
    measured: passed ? ["whole"] : ["cut", { edges: sides(edges) }], advice: ["advice"] }),
};

function side({ needed_px, product_px, ...demand }, { measured, required }) {
  const low = needed_px !== undefined;
  const nearer = required === false ? null : ["low", { needed_px, product_px }];
  return { demand: upTo(demand), asked: bounds(demand, px, number), measured: ["is", { measured: px(measured) }], advice: low ? nearer : ["high"] };
}

function colours(name) {
  return t(`colours.${name}`);
}
