// Looks of pictures: the form's values as plain data, and their conversion to options of the API.

/**
 * The default look. preset: names of presets as in the API, "amazon,etsy", in the service's order.
 * picture: the background picture, a File. repair: whether the service repairs what breaks a rule.
 */
export const PLAIN_LOOK = Object.freeze({
  preset: "", repair: true, background: "", colour: "#f4efe6", picture: null, frame: "", margin: 5, shadow: "", shadow_opacity: 50, format: "", max_px: "",
});

/**
 * A photo's own look: differences from the common look, and settings that only one photo can have.
 * rotate: degrees clockwise. place: { fill, x, y } in shares of the frame, or null. max_upscale: a number, or null.
 */
export const PLAIN_OWN = Object.freeze({ rotate: 0, place: null, max_upscale: null });

export const FRAMES = { "": {}, close: { crop: "true" }, square: { canvas: "1:1" }, upright: { canvas: "4:5" } };

/** The names of a look's presets. */
export const presetNames = ({ preset }) => (preset ? preset.split(",") : []);

/** One look for each preset of a look, or the look itself if it has none. */
export const looksOf = (look) => (look.preset ? presetNames(look).map((preset) => ({ ...look, preset })) : [look]);

/** The request for a look: { key, options, picture }. options: texts by option name. */
export function wishOf(look) {
  const options = { preset: look.preset, repair: look.preset && !look.repair ? "false" : "", ...background(look), ...frame(look), ...shadow(look), format: look.format, ...own(look) };
  const said = Object.fromEntries(Object.entries(options).filter(([, value]) => value));
  const picture = look.background === "picture" ? look.picture : null;
  return { key: JSON.stringify([said, picture && nameOf(picture)]), options: said, picture };
}

/** The reason why a look is not possible, as [key, params] of a message, or null. offer: from GET /v1/about. */
export function contradiction(look, offer) {
  const format = look.background === "transparent" && offer.formats.find(({ name }) => name === look.format);
  if (format && !format.alpha) return ["settings.not-transparent", { format: format.title }];
  return look.background === "picture" && !look.picture ? ["settings.picture-missing", {}] : null;
}

/** Whether the frame follows the product, so that the product cannot be moved in it. */
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

// A preset has its own frame. A product placed by hand needs no margin.
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

// Stable across a reload, which creates another object for the same file.
const nameOf = ({ name, size, lastModified }) => [name, size, lastModified].join("/");
