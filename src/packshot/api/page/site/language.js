// The words of the page, in the language of whoever looks at it: one catalogue for each language, NAME.json beside this module.
//
// A message has figures in braces, "{name} is ready". Numbers are written as the language writes them; a figure whose
// name ends in "bytes" is written as the size of a file, one that ends in "share" as a percentage, one that ends in
// "pixels" in millions. A message that depends on a number is one text for each plural form of the language, chosen by
// the figure `count`.

/** Every language of the page with its own name, in the order of the switch. */
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
const UNIT_STEP = 1024; // as the service counts: its limits are powers of two

const codes = new Set(languages.map(({ code }) => code));
const baseOf = (tag) => tag.split("-")[0].toLowerCase();

/** The language in use: the chosen one, else the browser's first that the page speaks, else English. */
export const language = chosen() ?? navigator.languages.map(baseOf).find((code) => codes.has(code)) ?? "en";

// The browser's own region, where it has one for this language: people in Zurich write 1'000, those in Berlin 1.000.
const locale = navigator.languages.find((tag) => baseOf(tag) === language) ?? language;

// Thousands are grouped from five digits on, as sizes in px are written everywhere.
const plainNumbers = new Intl.NumberFormat(locale, { useGrouping: "min2", maximumFractionDigits: 2 });
const percentages = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const plurals = new Intl.PluralRules(locale);
const days = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" });

const [english, own] = await Promise.all([catalogue("en"), language === "en" ? {} : catalogue(language)]);

/** Take in the messages of another page too, NAME-CODE.json beside this module, and put them into it. */
export async function learn(name) {
  const [first, second] = await Promise.all([catalogue(`${name}-en`), language === "en" ? {} : catalogue(`${name}-${language}`)]);
  Object.assign(english, first);
  Object.assign(own, second);
  translate(document);
}

/** Whether there is a message of this key. */
export const has = (key) => key in own || key in english;

/** The message of a key where its English is this text, else the text itself. */
export const translated = (key, text) => (english[key] === text ? t(key) : text);

/** The message of a key, with its figures: `t("app.tally.ready", { count: 3, all: 20 })`. An unknown key is its own message. */
export function t(key, figures = {}) {
  const message = own[key] ?? english[key] ?? key;
  const text = typeof message === "string" ? message : message[plurals.select(figures.count)] ?? message.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in figures ? written(name, figures[name]) : whole));
}

/** The names of the figures that a message has, all its plural forms together. */
export function figuresOf(key) {
  const message = own[key] ?? english[key] ?? "";
  const texts = typeof message === "string" ? [message] : Object.values(message);
  return new Set(texts.flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)));
}

export const number = (value, options) => (options ? new Intl.NumberFormat(locale, options) : plainNumbers).format(value);

/** A share of one: `percent(0.5)` is "50%". */
export const percent = (share) => percentages.format(share);

/** The size of a file, never more than it is: "50 MB" is what the service calls 50 MB too. */
export function bytes(count) {
  let unit = 0;
  let value = count;
  while (value >= UNIT_STEP && unit < UNITS.length - 1) { value /= UNIT_STEP; unit += 1; }
  return number(Math.floor(10 * value) / 10, { style: "unit", unit: UNITS[unit], unitDisplay: unit ? "short" : "long",
    maximumFractionDigits: 1, useGrouping: false });
}

/** "a, b and c". */
export const list = (words, type = "conjunction") => new Intl.ListFormat(locale, { type }).format(words);

/** A day as the service writes it, "2026-03-01". */
export const day = (text) => days.format(new Date(`${text}T00:00:00Z`));

/** Keep a choice of language, and show the page in it. Where a browser forbids storage, the address carries it. */
export function choose(code) {
  try {
    localStorage.setItem(PLACE, code);
    location.reload();
  } catch {
    location.search = `?language=${code}`;
  }
}

const ATTRIBUTES = { "t-label": "aria-label", "t-title": "title", "t-none": "data-none" };

/** Put the words of the language into elements that name a key: data-t for their text, data-t-label and so on for attributes. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.replaceChildren(...spelled(t(element.dataset.t)));
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const element of root.querySelectorAll(`[data-${name}]`)) element.setAttribute(attribute, t(element.getAttribute(`data-${name}`)));
  }
  for (const template of root.querySelectorAll("template")) translate(template.content);
}

/** A text in which what stands between backticks is to be typed as it is. */
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

// The page cannot do anything without its service: until it answers, the page shows its English words and asks again.
async function catalogue(code) {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      const answer = await fetch(new URL(`${code}.json`, import.meta.url));
      if (answer.ok) return await answer.json();
      if (answer.status === 404) return {}; // an older or newer replica that does not have this language
    } catch {
      // no answer
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** The switch: every language by its own name, for people who do not read the present one. */
function offerLanguages(select) {
  if (!select) return; // another page, which uses these words
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
