// What the service says about a photo, in the language and the words of this page. Where the catalogue does not know a
// code, or a figure that its sentence needs is missing, the service's own English sentence stands.

import { figuresOf, has, t } from "./language.js";
import { plain } from "./words.js";

/** Why something did not work. problem: { slug, detail, hint, title, field, ...figures }. */
export function problemText({ detail = "", title = "", hint = "", ...problem }) {
  const { slug, field } = problem;
  return told([`error.${slug}.${field}`, `error.${slug}`], problem)
    ?? plain([detail || title || t("service.failed"), hint].filter(Boolean).join(" "));
}

/** What could not be done as asked. sentence: the service's; fact: { code, ...figures }, or nothing. */
export const noteText = (sentence, fact) => (fact && told([`note.${fact.code}`], fact)) ?? plain(sentence);

/** One rule of a marketplace, checked. */
export const ruleText = (check) => plain(check.message);

/** The first of these messages that is there, with all figures that it has; null where there is none. */
function told(keys, figures) {
  const key = keys.find((each) => has(each) && [...figuresOf(each)].every((name) => name in figures));
  return key ? t(key, figures) : null;
}
