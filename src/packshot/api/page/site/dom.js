// Creates and finds elements.

export const find = (id) => document.getElementById(id);

/** Create an element. given: properties; names with a dash or without a property are set as attributes. */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Announce words to screen readers, also if they are the same as before. */
export function say(words, place = find("said")) {
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = words; });
}

/** A pill: one radio button or check box of a group. */
export function pill(name, value, words, { checked = false, mark = null, type = "radio" } = {}) {
  const input = make("input", { type, name, value, checked });
  return make("label", {}, input, make("span", {}, mark, words));
}

export function saveAs(blob, name) {
  const url = URL.createObjectURL(blob);
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
