// How pictures should look: plain values, as the form has them, and the options of the API that they stand for.

/**
 * The look that nobody has changed. `preset`: names of presets as the API has them, "amazon,etsy", in the service's order.
 * `picture`: the picture behind the product, a File. `repair`: whether the service puts right what breaks a rule.
 */
export const PLAIN_LOOK = Object.freeze({
  preset: "", repair: true, background: "", colour: "#f4efe6", picture: null, frame: "", margin: 5, shadow: "", shadow_opacity: 50, format: "", max_px: "",
});

/**
 * A photo's own look: what differs from that of all photos, and what only one photo can have.
 * rotate: degrees clockwise. place: { fill, x, y } in shares of the frame, or null. max_upscale: a number, or null.
 */
export const PLAIN_OWN = Object.freeze({ rotate: 0, place: null, max_upscale: null });

export const FRAMES = { "": {}, close: { crop: "true" }, square: { canvas: "1:1" }, upright: { canvas: "4:5" } };

/** The names of the presets that a look has. */
export const presetNames = ({ preset }) => (preset ? preset.split(",") : []);

/** The looks of the pictures that one photo becomes: one for each preset, or the look itself where it has none. */
export const looksOf = (look) => (look.preset ? presetNames(look).map((preset) => ({ ...look, preset })) : [look]);

/** What is asked of the service: { key, options, picture }. options: texts by the names that the API has for them. */
export function wishOf(look) {
  const options = { preset: look.preset, repair: look.preset && !look.repair ? "false" : "", ...background(look), ...frame(look), ...shadow(look), format: look.format, ...own(look) };
  const said = Object.fromEntries(Object.entries(options).filter(([, value]) => value));
  const picture = look.background === "picture" ? look.picture : null;
  return { key: JSON.stringify([said, picture && nameOf(picture)]), options: said, picture };
}

/** Why a look cannot be made, as [key, params] of a message; null when it can. offer: as GET /v1/about answers. */
export function contradiction(look, offer) {
  const format = look.background === "transparent" && offer.formats.find(({ name }) => name === look.format);
  if (format && !format.alpha) return ["settings.not-transparent", { format: format.title }];
  return look.background === "picture" && !look.picture ? ["settings.picture-missing", {}] : null;
}

/** Whether the frame follows from the product, so that the product cannot be moved in it. */
export const hugsProduct = (look) => !look.preset && look.frame === "close";

/** The values of `changed` that differ from those of `base`. */
export function difference(base, changed) {
  return Object.fromEntries(Object.entries(changed).filter(([name, value]) => value !== base[name]));
}

export const casts = ({ shadow: kind }) => !["", "none"].includes(kind);

function background({ background: value, colour }) {
  if (value === "picture") return {};
  return { background: value === "colour" ? colour : value };
}

// A preset brings a frame of its own. A product that was placed by hand needs no margin.
function frame({ preset, frame: name, margin, max_px, place }) {
  if (preset) return {};
  return { ...FRAMES[name], margin: name && !place ? `${margin}%` : "", max_px };
}

function shadow(look) {
  const { shadow: kind, shadow_opacity } = look;
  return { shadow: kind, shadow_opacity: casts(look) && kind !== "photo" ? `${shadow_opacity}%` : "" };
}

function own(look) {
  const { rotate = 0, place = null, max_upscale = null } = look;
  const placed = place && !hugsProduct(look) ? { fill: share(place.fill), position: `${share(place.x)} ${share(place.y)}` } : {};
  return { ...placed, rotate: rotate ? String(rotate) : "", max_upscale: max_upscale ? String(max_upscale) : "" };
}

const share = (value) => `${Math.round(1000 * value) / 10}%`;

// The same after a reload, when the page holds another object for the same file.
const nameOf = ({ name, size, lastModified }) => [name, size, lastModified].join("/");
