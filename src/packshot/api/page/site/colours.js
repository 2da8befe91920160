// Parsing of typed and pasted colours, and the recently used ones.

const PLACE = "packshot-colours";
const KEPT = 6;
const IS_COLOUR = /^#[0-9a-f]{6}$/;
const BARE_HEX = /^(?:#|0x)?([0-9a-f]{3}|[0-9a-f]{6})$/;
const BARE_NUMBERS = /^(\d{1,3})(?:\s*[,;]\s*|\s+)(\d{1,3})(?:\s*[,;]\s*|\s+)(\d{1,3})$/;
const WORD_OR_FUNCTION = /^([a-z]+|(rgb|rgba|hsl|hsla|hwb)\([^()]*\))$/;

let painter = null;
let here = []; // if the browser forbids storage

/**
 * "#rrggbb" for an opaque colour, else null.
 *
 * Reads "#f4efe6" and "fff" with or without #, "rgb(244, 239, 230)", "hsl(...)", "244, 239, 230", CSS names, and a line
 * of a style sheet, "color: #f4efe6;".
 */
export function parseColour(text) {
  const said = text.trim().toLowerCase().replace(/^[a-z-]+\s*:\s*/, "").replace(/^["']|["';,]+$/g, "").trim();
  const hex = BARE_HEX.exec(said)?.[1];
  if (hex) return `#${hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex}`;
  const numbers = BARE_NUMBERS.exec(said)?.slice(1).map(Number);
  if (numbers) return numbers.every((number) => number <= 255) ? `#${numbers.map(twoDigits).join("")}` : null;
  return WORD_OR_FUNCTION.test(said) && said !== "currentcolor" ? asTheBrowserReads(said) : null;
}

/** The recently used colours, newest first: up to six "#rrggbb". */
export function recentColours() {
  let text;
  try {
    text = localStorage.getItem(PLACE) ?? "[]";
  } catch {
    return here;
  }
  try {
    const kept = JSON.parse(text);
    return kept.filter((colour) => IS_COLOUR.test(colour)).slice(0, KEPT);
  } catch { // another page's
    return [];
  }
}

/** Put a colour, "#rrggbb", first in the recent colours. Returns them. */
export function rememberColour(colour) {
  return keep([colour, ...recentColours().filter((each) => each !== colour)].slice(0, KEPT));
}

export const forgetColours = () => keep([]);

function keep(colours) {
  here = colours;
  try {
    localStorage.setItem(PLACE, JSON.stringify(colours));
  } catch {
    // kept in memory
  }
  return colours;
}

const twoDigits = (number) => number.toString(16).padStart(2, "0");

// A canvas knows CSS names and functions. It returns #rrggbb for opaque colours, and ignores invalid texts: a text that
// leaves two different colours unchanged is not a colour.
function asTheBrowserReads(text) {
  painter ??= document.createElement("canvas").getContext("2d");
  const read = ["#000001", "#000002"].map((before) => {
    painter.fillStyle = before;
    painter.fillStyle = text;
    return painter.fillStyle;
  });
  return read[0] === read[1] && IS_COLOUR.test(read[0]) ? read[0] : null;
}
