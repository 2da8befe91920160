// The command line that makes the same picture as the page.

import { find, say } from "./dom.js";
import { t } from "./language.js";
import { presetNames } from "./looks.js";

export function curlLine({ options, picture }, formats) {
  const parts = ["curl -H 'Authorization: Bearer YOUR_KEY'", "-F image=@photo.jpg"];
  for (const [name, value] of Object.entries(options)) parts.push(`-F ${quoted(`${name}=${value}`)}`);
  if (picture) parts.push(`-F ${quoted(`background_picture=@${picture.name}`)}`);
  parts.push(`-o ${quoted(fileOf(options, picture, formats))}`, new URL("v1/packshots", document.baseURI).href);
  return parts.join(" \\\n  ");
}

// Several presets return a ZIP.
function fileOf({ preset, format, background, form }, picture, formats) {
  if (presetNames({ preset }).length > 1) return "packshots.zip";
  const flat = preset || picture || form === "flattened" || (background && background !== "transparent");
  const made = format || (flat ? "jpeg" : "png");
  return `packshot${formats.find(({ name }) => name === made).suffixes[0]}`;
}

// Simple words stay unquoted; other texts are quoted for a POSIX shell.
const quoted = (text) => (/^[\w=@.,:/%-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);

/** Copy a text to the clipboard. Its API needs a secure page; elsewhere the text is selected and copied. */
export async function copy(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    getSelection().selectAllChildren(element);
    if (!document.execCommand("copy")) return say(t("curl.selected"));
  }
  find("copied").textContent = t("curl.copied");
  setTimeout(() => { find("copied").textContent = ""; }, 3000);
  return undefined;
}
