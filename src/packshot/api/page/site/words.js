// How the page says things: sizes, counts, and the choices that the service names in its own words.

const UNITS = ["bytes", "kB", "MB", "GB"];

export function bytes(count) {
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < UNITS.length - 1) { value /= 1000; unit += 1; }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

export const seconds = (count) => counted(Math.max(1, Math.ceil(count)), "second");

const CHOICES = {
  shadow: { none: "No shadow", contact: "Where it stands", soft: "Soft, all around", photo: "The one in the photo" },
};

/** What a choice of an option is called here; a choice that this page does not know yet keeps its own name. */
export function choice(option, value) {
  return CHOICES[option]?.[value] ?? value.charAt(0).toUpperCase() + value.slice(1);
}

const LABELS = { background_picture: "the background picture", max_px: "the longest side", max_upscale: "\u201cEnlarge what is small\u201d",
  min_px: "the asked size", shadow_opacity: "the strength of the shadow", touch_up: "what was painted" };

/** The service's sentences, with the names that options have on this page. */
export function plain(words) {
  const said = words.replace(/\b[a-z]+(_[a-z]+)+\b/g, (name) => LABELS[name] ?? name);
  return said.charAt(0).toUpperCase() + said.slice(1);
}

const readable = ({ formats, inputs }) => formats.filter(({ name }) => inputs.formats.includes(name));

/** The kinds of picture files that the service takes, in its order: those that people know first. */
export const kinds = (offer) => readable(offer).map(({ title }) => title).join(", ");

/** The same for a file dialog. */
export const accepted = (offer) => readable(offer).flatMap(({ media_type, suffixes }) => [media_type, ...suffixes]).join();

/** The ending of a picture that came back, as its address has it: "jpg". */
export const extension = ({ url }) => new URL(url, document.baseURI).pathname.split(".").pop();

export const stem = (name) => name.replace(/\.[^.]{1,5}$/, "");

/** Names for files that lie in one folder: a name that comes twice gets a number. Upper and lower case are the same. */
export function uniqueNames(names) {
  const taken = new Set();
  return names.map((name) => {
    let free = name;
    for (let number = 2; taken.has(free.toLowerCase()); number += 1) free = name.replace(/(\.[^.]+)?$/, `-${number}$1`);
    taken.add(free.toLowerCase());
    return free;
  });
}
