// The summary of all photos: how many are ready, what the others need, and the overall progress.

import { find, say } from "./dom.js";
import { presetShort } from "./explain.js";
import { t } from "./language.js";
import { presetsOf } from "./presets.js";
import { enlargement } from "./report.js";

const SPEAK_EACH_MS = 6000;

let spoken = { at: 0, words: "" };

export function showTally(photos, work) {
  const all = photos.all.length;
  const count = (test) => photos.all.filter(test).length;
  const failed = count((photo) => photo.failure);
  const done = photos.all.filter((photo) => !photo.failure && work.isDone(photo));
  const look = done.filter((photo) => photo.needsLook).length;
  const rules = done.filter((photo) => photo.breaksRules && !photo.needsLook).length;
  const ready = done.length - look - rules;
  const words = [...readyWords(done, { ready, all }, presetsOf(work.offer, work.look ?? {})), look && t("app.tally.look", { count: look }),
    rules && t("app.tally.rules", { count: rules }), failed && t("app.tally.failed", { count: failed })].filter(Boolean).join(", ");
  find("tally").textContent = `${words}.`;
  const settled = done.length + failed;
  find("all").value = all ? settled / all : 0;
  find("all").hidden = settled === all;
  const made = count((photo) => photo.isMade);
  find("download-all").disabled = !made;
  find("download-all").textContent = made === all ? t("app.download-all", { count: made }) : t("app.download-some", { count: made, all });
  const small = count(enlargement);
  find("hint").hidden = !small;
  find("hint-words").textContent = t("app.too-small", { count: small });
  if (all) speak(`${words}.`, settled === all);
}

/** The number of ready photos; with several marketplaces, for each of them. */
function readyWords(done, { ready, all }, presets) {
  if (presets.length < 2) return [t("app.tally.ready", { count: ready, all })];
  return presets.map((preset, index) => t(index ? "app.tally.ready-for-too" : "app.tally.ready-for",
    { count: done.filter((photo) => photo.isReadyFor(preset.name)).length, all, preset: presetShort(preset) }));
}

/** Announce the progress to screen readers: at intervals, and when all is done. */
function speak(words, done) {
  if (words === spoken.words || (!done && Date.now() - spoken.at < SPEAK_EACH_MS)) return;
  spoken = { at: Date.now(), words };
  say(done ? t("app.all-done", { tally: words }) : words);
}
