// The page's words for the service's choices and options.

import { has, t } from "./language.js";

/** The page's name for a choice of an option; unknown choices keep their own name. */
export function choice(option, value) {
  const key = `choice.${option}.${value}`;
  return has(key) ? t(key) : value.charAt(0).toUpperCase() + value.slice(1);
}

/** The service's sentences, with the page's names for options. */
export function plain(words) {
  const said = words.replace(/\b[a-z]+(_[a-z]+)+\b/g, (name) => (has(`option.${name}`) ? t("quoted", { words: t(`option.${name}`) }) : name));
  return said.charAt(0).toUpperCase() + said.slice(1);
}

const readable = ({ formats, inputs }) => formats.filter(({ name }) => inputs.formats.includes(name));

/** The picture formats that the service accepts, in its order, the best known first. */
export const kinds = (offer) => readable(offer).map(({ title }) => title).join(", ");

/** The accepted formats for a file dialog. */
export const accepted = (offer) => readable(offer).flatMap(({ media_type, suffixes }) => [media_type, ...suffixes]).join();
