// The page: its parts put together.

import { Connection } from "./connection.js";
import { copy, curlLine } from "./curl.js";
import { find, make, saveAs, say } from "./dom.js";
import { takePhotos } from "./drop.js";
import { Keys } from "./keys.js";
import { List } from "./list.js";
import { Photos } from "./photos.js";
import { missed } from "./report.js";
import { about, Gone } from "./service.js";
import { Settings } from "./settings.js";
import { Viewer } from "./viewer.js";
import { Work } from "./work.js";
import { bytes, counted, kinds, seconds, uniqueNames } from "./words.js";
import { zip } from "./zip.js";

const DEBOUNCE_MS = 500;
const SPEAK_EACH_MS = 6000;
const WIDE = matchMedia("(min-width: 60rem)");

const connection = new Connection();
const photos = new Photos();
const keys = new Keys(connection);

/** The page as soon as the service says what it can do. */
async function start() {
  connection.addEventListener("change", showBanner);
  keys.addEventListener("change", showBanner);
  const offer = await offered();
  const work = new Work({ photos, connection, keys, maxBytes: offer.inputs.max_bytes });
  const settings = new Settings(offer);
  const viewer = new Viewer({ photos, work, onClosed: (photo) => list.focus(photo) });
  const list = new List({ photos, work, onOpen: (photo, mode) => viewer.open(photo, mode) });
  find("inputs").textContent = `${kinds(offer)}; up to ${bytes(offer.inputs.max_bytes)} each.`;
  find("form").append(curlBox());
  takeIn(offer, work, follow(settings, work));
  photos.addEventListener("change", ({ detail: { photo } }) => { list.update(photo); viewer.update(photo); showTally(work); });
  work.addEventListener("stopped", () => showStop(work, settings));
  find("download-all").addEventListener("click", () => downloadAll(settings));
  find("remove-all").addEventListener("click", () => removeAll());
  addEventListener("beforeunload", (event) => photos.all.some((photo) => photo.result && !photo.saved) && event.preventDefault());
  fold();
}

async function offered() {
  for (;;) {
    try {
      await connection.ready();
      return await about();
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
      connection.lost();
    }
  }
}

function takeIn(offer, work, apply) {
  takePhotos(offer, (files, others) => {
    if (find("key").open || find("viewer").open) return;
    apply();
    photos.add(files);
    work.pump();
    const words = files.length ? `${counted(files.length, "photo")} added.` : "";
    const left = others ? ` ${counted(others, "file")} left out: not a picture.` : "";
    say(words + left);
    find("left-out").textContent = left.trim();
    find("left-out").hidden = !left;
  });
}

/** Settings apply to all photos, a moment after the last change. Returns what applies them now. */
function follow(settings, work) {
  let timer = 0;
  const apply = () => {
    clearTimeout(timer);
    if (settings.contradiction) return settings.complain(settings.contradiction);
    if (work.wish?.key === settings.wish.key && !work.stopped) return settings.complain("");
    settings.complain("");
    return work.ask(settings.wish);
  };
  settings.addEventListener("change", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, DEBOUNCE_MS);
    find("curl").textContent = curlLine(settings.wish, settings.offer.formats);
  });
  find("curl").textContent = curlLine(settings.wish, settings.offer.formats);
  apply();
  return apply;
}

function curlBox() {
  const button = make("button", { type: "button" }, "Copy");
  const box = make("details", { className: "curl" }, make("summary", {}, "The same from a command line"),
    make("pre", { id: "curl", tabIndex: 0, role: "region", ariaLabel: "Command line" }),
    make("p", { className: "buttons" }, button, make("span", { id: "copied", role: "status" })));
  button.addEventListener("click", () => copy(find("curl")));
  return box;
}

function fold() {
  const show = () => { find("settings").open = WIDE.matches; };
  WIDE.addEventListener("change", show);
  show();
}

function showBanner() {
  const [words, action, act] = bannerOf();
  find("banner").hidden = !words;
  find("banner-text").textContent = words;
  find("banner-button").textContent = action;
  find("banner-button").onclick = act;
}

function bannerOf() {
  if (connection.state === "gone") {
    return ["The service does not answer. Your photos are safe here; work goes on by itself when it is back.", "Try now", () => connection.tryNow()];
  }
  if (keys.putOff) return ["Your photos wait for the access key.", "Enter the key", () => keys.ask()];
  if (connection.state === "busy") {
    return [`The service is busy. Work goes on in about ${seconds(connection.pauseS)}.`, "Try now", () => connection.tryNow()];
  }
  if (keys.notice) return [keys.notice, "Close", () => keys.dismiss()];
  return stop ?? ["", "", null];
}

let stop = null;

function showStop(work, settings) {
  const problem = work.stopped?.problem;
  const goOn = () => work.resume();
  if (problem?.slug === "invalid-option") settings.complain(problem.message);
  stop = problem && problem.slug !== "invalid-option" ? [`No pictures are left on this key. ${problem.message}`, "Try again", goOn] : null;
  showBanner();
}

let spoken = { at: 0, words: "" };

function showTally(work) {
  const all = photos.all.length;
  const failed = photos.all.filter((photo) => photo.failure).length;
  const done = photos.all.filter((photo) => !photo.failure && work.isDone(photo));
  const look = done.filter((photo) => photo.needsLook).length;
  const ready = done.length - look;
  const parts = [`${ready} of ${all} ready`, look && `${look} to look at`, failed && `${failed} did not work`].filter(Boolean);
  const words = `${parts.join(", ")}.`;
  find("tally").textContent = words;
  const settled = done.length + failed;
  find("all").value = all ? settled / all : 0;
  find("all").hidden = settled === all;
  const made = photos.all.filter((photo) => photo.result && !photo.failure).length;
  find("download-all").disabled = !made;
  find("download-all").textContent = made === all ? `Download all (${made})` : `Download ${made} of ${all}`;
  showHint();
  speak(words, settled === all);
}

/** What helps many photos at once. */
function showHint() {
  const small = photos.all.filter((photo) => photo.breaksRules && missed(photo.result.facts.preset).some(({ rule }) => rule.endsWith("-side")));
  const words = `${counted(small.length, "picture is", "pictures are")} too small. \u201cEnlarge what is small\u201d can help, but makes them softer.`;
  find("hint").hidden = !small.length || find("max_upscale").value === "4";
  find("hint").textContent = words;
}

/** Tell listeners how it goes: now and then, and when all is done. */
function speak(words, done) {
  if (!photos.all.length || words === spoken.words || (!done && Date.now() - spoken.at < SPEAK_EACH_MS)) return;
  spoken = { at: Date.now(), words };
  say(done ? `All done: ${words}` : words);
}

async function downloadAll(settings) {
  const made = photos.all.filter((photo) => photo.result && !photo.failure);
  const names = uniqueNames(made.map((photo) => photo.outputName));
  try {
    const file = await zip(made.map((photo, index) => ({ name: names[index], blob: photo.result.blob })));
    saveAs(file, settings.preset ? `packshots-${settings.preset.name}.zip` : "packshots.zip");
    for (const photo of made) photo.saved = true;
  } catch (error) {
    say(error.message);
    find("tally").textContent = error.message;
  }
}

function removeAll() {
  const unsaved = photos.all.filter((photo) => photo.result && !photo.saved).length;
  if (unsaved && !confirm(`${counted(unsaved, "picture")} not downloaded yet. Remove all?`)) return;
  photos.clear();
  find("pick").focus();
  say("All photos removed.");
}

start().catch((error) => {
  find("banner-text").textContent = `This page cannot work: ${error.message}`;
  find("banner-button").textContent = "Load it again";
  find("banner-button").onclick = () => location.reload();
  find("banner").hidden = false;
});
