// The page's texts in the user's language: one catalogue for each language, CODE.json next to this module.
//
// A message has figures in braces, "{name} is ready". Numbers follow the language's format. A figure whose name ends in
// "bytes" is shown as a file size, in "share" as a percentage, in "pixels" in millions. A message that depends on a
// number has one text for each plural form of the language, selected by the figure `count`.

/** All languages of the page with their own names, in the order of the menu. */
export const languages = [
  { code: "en", name: "English" },
  { code: "de", name: "Deutsch" },
  { code: "es", name: "Espa\u00f1ol" },
  { code: "fr", name: "Fran\u00e7ais" },
  { code: "pt", name: "Portugu\u00eas" },
];

const PLACE = "packshot-language";
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8000;
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];
const UNIT_STEP = 1024; // as in the service, whose limits are powers of two

const codes = new Set(languages.map(({ code }) => code));
const baseOf = (tag) => tag.split("-")[0].toLowerCase();

/** The current language: the chosen one, else the browser's first that the page supports, else English. */
export const language = chosen() ?? navigator.languages.map(baseOf).find((code) => codes.has(code)) ?? "en";

// The browser's region for this language, if it has one: Zurich writes 1'000, Berlin 1.000.
const locale = navigator.languages.find((tag) => baseOf(tag) === language) ?? language;

// Thousands are grouped from five digits on, as is usual for sizes in px.
const plainNumbers = new Intl.NumberFormat(locale, { useGrouping: "min2", maximumFractionDigits: 2 });
const percentages = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const plurals = new Intl.PluralRules(locale);
const days = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" });

const [english, own] = await Promise.all([catalogue("en"), language === "en" ? {} : catalogue(language)]);

/** Load the messages of another page too, NAME-CODE.json next to this module, and translate the page. */
export async function learn(name) {
  const [first, second] = await Promise.all([catalogue(`${name}-en`), language === "en" ? {} : catalogue(`${name}-${language}`)]);
  Object.assign(english, first);
  Object.assign(own, second);
  translate(document);
}

/** Whether a message with this key exists. */
export const has = (key) => key in own || key in english;

/** The message of a key if its English text is this text, else the text itself. */
export const translated = (key, text) => (english[key] === text ? t(key) : text);

/** The message of a key, with its figures: `t("app.tally.ready", { count: 3, all: 20 })`. Returns an unknown key itself. */
export function t(key, figures = {}) {
  const message = own[key] ?? english[key] ?? key;
  const text = typeof message === "string" ? message : message[plurals.select(figures.count)] ?? message.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in figures ? written(name, figures[name]) : whole));
}

/** The names of a message's figures, over all its plural forms. */
export function figuresOf(key) {
  const message = own[key] ?? english[key] ?? "";
  const texts = typeof message === "string" ? [message] : Object.values(message);
  return new Set(texts.flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)));
}

export const number = (value, options) => (options ? new Intl.NumberFormat(locale, options) : plainNumbers).format(value);

/** A percentage: `percent(0.5)` is "50%". */
export const percent = (share) => percentages.format(share);

/** A file size, rounded down, in the service's units. */
export function bytes(count) {
  let unit = 0;
  let value = count;
  while (value >= UNIT_STEP && unit < UNITS.length - 1) { value /= UNIT_STEP; unit += 1; }
  return number(Math.floor(10 * value) / 10, { style: "unit", unit: UNITS[unit], unitDisplay: unit ? "short" : "long",
    maximumFractionDigits: 1, useGrouping: false });
}

/** "a, b and c". */
export const list = (words, type = "conjunction") => new Intl.ListFormat(locale, { type }).format(words);

/** A day from the service's form, "2026-03-01". */
export const day = (text) => days.format(new Date(`${text}T00:00:00Z`));

/** Store the chosen language, and show the page in it. If the browser forbids storage, the URL carries it. */
export function choose(code) {
  try {
    localStorage.setItem(PLACE, code);
    location.reload();
  } catch {
    location.search = `?language=${code}`;
  }
}

const ATTRIBUTES = { "t-label": "aria-label", "t-title": "title", "t-none": "data-none" };

/** Translate elements that name a key: data-t for their text, data-t-label and so on for attributes. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.replaceChildren(...spelled(t(element.dataset.t)));
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const element of root.querySelectorAll(`[data-${name}]`)) element.setAttribute(attribute, t(element.getAttribute(`data-${name}`)));
  }
  for (const template of root.querySelectorAll("template")) translate(template.content);
}

/** A text with the parts between backticks as code elements. */
function spelled(text) {
  return text.split("`").map((part, index) => {
    if (index % 2 === 0) return part;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  });
}

function written(name, value) {
  if (typeof value !== "number") return value;
  if (name.endsWith("bytes")) return bytes(value);
  if (name.endsWith("pixels")) return number(value / 1e6, { maximumFractionDigits: 1 });
  return name.endsWith("share") ? percent(value) : number(value);
}

function chosen() {
  let code;
  try {
    code = localStorage.getItem(PLACE);
  } catch {
    code = new URLSearchParams(location.search).get("language");
  }
  return codes.has(code) ? code : null;
}

// The page needs its service. Until the service answers, the page shows English texts and retries.
async function catalogue(code) {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      const answer = await fetch(new URL(`${code}.json`, import.meta.url));
      if (answer.ok) return await answer.json();
      if (answer.status === 404) return {}; // an older or newer replica without this language
    } catch {
      // no response
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Fill the language menu. Each language has its own name, for people who do not read the current one. */
function offerLanguages(select) {
  if (!select) return; // another page that uses these texts
  select.replaceChildren(...languages.map(({ code, name }) => {
    const option = new Option(name, code, code === language, code === language);
    option.lang = code;
    return option;
  }));
  select.addEventListener("change", () => choose(select.value));
}

document.documentElement.lang = language;
translate(document);
offerLanguages(document.getElementById("language"));
