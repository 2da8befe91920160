// How the page says things: the choices that the service names in its own words.

import { has, t } from "./language.js";

/** What a choice of an option is called here; a choice that this page does not know yet keeps its own name. */
export function choice(option, value) {
  const key = `choice.${option}.${value}`;
  return has(key) ? t(key) : value.charAt(0).toUpperCase() + value.slice(1);
}

/** The service's sentences, with the names that options have on this page. */
export function plain(words) {
  const said = words.replace(/\b[a-z]+(_[a-z]+)+\b/g, (name) => (has(`option.${name}`) ? t("quoted", { words: t(`option.${name}`) }) : name));
  return said.charAt(0).toUpperCase() + said.slice(1);
}

const readable = ({ formats, inputs }) => formats.filter(({ name }) => inputs.formats.includes(name));

/** The kinds of picture files that the service takes, in its order: those that people know first. */
export const kinds = (offer) => readable(offer).map(({ title }) => title).join(", ");

/** The same for a file dialog. */
export const accepted = (offer) => readable(offer).flatMap(({ media_type, suffixes }) => [media_type, ...suffixes]).join();
