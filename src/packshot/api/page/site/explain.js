// Errors, notes and rules of the service, in the language and the words of this page. Where the catalogue does not know a
// code, or a figure that its sentence needs is missing, the service's own English sentence stands.

import { figuresOf, has, list, number, t, translated } from "./language.js";
import { plain } from "./words.js";

/** Why something did not work. problem: { slug, detail, hint, title, field, ...figures }. */
export function problemText({ detail = "", title = "", hint = "", ...problem }) {
  const { slug, field, format } = problem;
  const setting = `option.${field}`;
  const figures = has(setting) ? { ...problem, setting: t(setting) } : problem;
  const about = [field, format, ...Object.keys(figures)].map((name) => `error.${slug}.${name}`);
  return told([...about, `error.${slug}`], figures)
    ?? plain([detail || title || t("service.failed"), hint].filter(Boolean).join(" "));
}

/** What could not be done as asked. sentence: the service's; fact: { code, ...figures }, or nothing. */
export function noteText(sentence, fact) {
  if (!fact) return plain(sentence);
  const { code, what, most, edges, size, frame } = fact;
  const written = { size: size && area(size), frame: frame && area(frame), edges: edges && sides(edges) };
  const figures = { ...fact, ...Object.fromEntries(Object.entries(written).filter(([, value]) => value)) };
  const kept = most === 1 ? [`note.${code}.${what}.never`] : [];
  return told([...kept, `note.${code}.${what}`, `note.${code}`], figures) ?? plain(sentence);
}

/** What was put right so that a rule is kept. repair: { code, message, facts }. */
export function repairText({ code, message, facts }) {
  const { percent, share, stored, rule } = facts;
  const written = { filled: percent === undefined ? undefined : shareOf(percent / 100), cleaned: share === undefined ? undefined : atMost(share),
    stored: stored && colours(stored) };
  return told([`repair.${code}.${rule}`, `repair.${code}`], { ...facts, ...Object.fromEntries(Object.entries(written).filter(([, value]) => value)) }) ?? plain(message);
}

/** What a marketplace asks and no pixel tells. A hint that this page does not know is shown as the service says it. */
export const hintTexts = ({ name, hints = [] }) => hints.map((hint, index) => translated(`hint.${name}.${index + 1}`, hint));

/**
 * One rule of a marketplace, checked: what it demands, what was measured and, where it is not kept, what to do.
 * short: for a card. Where the photo is at fault, why and what to do; else the demand.
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

/** What a preset is for. */
export const presetAbout = ({ name, about }) => (has(`preset.${name}.about`) ? t(`preset.${name}.about`) : plain(about));

export const presetTitle = ({ name, title }) => (has(`preset.${name}.title`) ? t(`preset.${name}.title`) : title);

/** A preset where there is little room: "Amazon main image" is Amazon. */
export const presetShort = ({ name, title }) => (has(`preset.${name}.short`) ? t(`preset.${name}.short`) : title.split(" ")[0]);

/** The first of these messages that is there, with all figures that it has; null where there is none. */
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

/** The demand's key where there is an upper bound alone: some languages have another verb for it. */
const upTo = ({ least }) => (least === undefined ? "-most" : "");

/** A small share, never less than it is: what is there is not "0%". */
function atMost(share) {
  return share < 0.001 ? t("bounds.under", { most: tenths(0.001) }) : shareOf(Math.ceil(share * 1000 - 1e-6) / 1000);
}

// By kind of rule, from the figures of a check and the check itself: `asked` completes the demand, `demand` is the ending
// of the demand's key where there are several, `measured` and `advice` are endings of keys with their figures.
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
