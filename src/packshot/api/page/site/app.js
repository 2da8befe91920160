// The page: its parts put together.

import { Connection } from "./connection.js";
import { copy, curlLine } from "./curl.js";
import { find, make, saveAs, say } from "./dom.js";
import { takePhotos } from "./drop.js";
import { History } from "./history.js";
import { Keep } from "./keep.js";
import { Keys } from "./keys.js";
import { t } from "./language.js";
import { List } from "./list.js";
import { PLAIN_OWN, difference, wishOf } from "./looks.js";
import { outputNames } from "./names.js";
import { Photo, Photos } from "./photos.js";
import { enlargement } from "./report.js";
import { sampleList, samples } from "./samples.js";
import { about, Gone } from "./service.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { Viewer } from "./viewer.js";
import { Work } from "./work.js";
import { kinds } from "./words.js";
import { zip } from "./zip.js";

const DEBOUNCE_MS = 150;
const SPEAK_EACH_MS = 6000;
const TOAST_MS = 10_000;
const MANY = 24; // photos, from which on the cards are small
const WIDE = matchMedia("(min-width: 60rem)");
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

const connection = new Connection();
const photos = new Photos();
const keys = new Keys(connection);
const history = new History();

/** The page as soon as the service says what it can do. */
async function start() {
  connection.addEventListener("change", showBanner);
  keys.addEventListener("change", showBanner);
  const [offer, session] = await Promise.all([offered(), Session.open()]);
  const keep = new Keep({ session, photos });
  const earlier = await keep.restore();
  const settings = new Settings(offer);
  const work = new Work({ photos, connection, keys, offer });
  const changeOwn = (photo, changes, merge) => change(photo, changes, merge, work);
  const viewer = new Viewer({ photos, work, offer, history, changeOwn, onClosed: (photo) => list.focus(photo) });
  const list = new List({ photos, work, onOpen: (photo, mode) => viewer.open(photo, mode), onRemove: (photo) => remove([photo], work),
    onEnlarge: (photo) => enlarge([photo], changeOwn) });
  find("inputs").textContent = t("app.inputs", { kinds: kinds(offer), max_bytes: offer.inputs.max_bytes });
  find("form").append(curlBox());
  photos.addEventListener("change", ({ detail: { photo } }) => { list.update(photo); viewer.update(photo); showTally(work); });
  work.addEventListener("stopped", () => showStop(work, settings));
  followHistory(work);
  showView(earlier.page.view ?? "auto");
  if (earlier.page.look) settings.look = known(earlier.page.look, offer);
  const apply = follow(settings, work, keep);
  photos.add(earlier.photos);
  takeIn(offer, work, apply);
  find("view").addEventListener("change", (event) => { showView(event.target.value); savePage(keep, settings); });
  find("download-all").addEventListener("click", () => downloadAll(settings));
  find("remove-all").addEventListener("click", () => {
    remove([...photos.all], work);
    keep.clear().then(() => savePage(keep, settings), () => say(t("app.not-cleared")));
  });
  find("enlarge-all").addEventListener("click", () => enlarge(photos.all.filter(enlargement), changeOwn));
  session.addEventListener("full", () => say(t("app.storage-full")));
  addEventListener("beforeunload", (event) => !session.works && photos.all.some((photo) => photo.isMade && !photo.saved) && event.preventDefault());
  fold();
  work.pump();
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

/** A look of an earlier visit, without a preset that the service has no longer. */
function known(look, offer) {
  return offer.presets.some(({ name }) => name === look.preset) ? look : { ...look, preset: "" };
}

function takeIn(offer, work, apply) {
  const take = (files, others = 0) => {
    if (find("key").open || find("viewer").open) return;
    apply();
    photos.add(files.map((file) => new Photo(file)));
    work.pump();
    const left = others ? t("app.left-out", { count: others }) : "";
    say([files.length ? t("app.added", { count: files.length }) : "", left].join(" ").trim());
    find("left-out").textContent = left;
    find("left-out").hidden = !left;
  };
  takePhotos(offer, take);
  find("samples").replaceChildren(...sampleList.map(({ name, small }) => {
    const button = make("button", { type: "button", "aria-label": t(`sample.${name}`) }, make("img", { src: small, alt: "" }));
    button.addEventListener("click", () => samples([name]).then(take, () => connection.lost()));
    return button;
  }));
}

/** Settings apply to all photos, a moment after the last change. Returns what applies them now. */
function follow(settings, work, keep) {
  let timer = 0;
  const apply = () => {
    clearTimeout(timer);
    settings.complain(settings.contradiction);
    if (!settings.contradiction && (work.look !== settings.look || work.stopped)) work.ask(settings.look);
  };
  const show = () => {
    clearTimeout(timer);
    timer = setTimeout(apply, DEBOUNCE_MS);
    find("curl").textContent = curlLine(wishOf(settings.look), settings.offer.formats);
    savePage(keep, settings);
  };
  settings.addEventListener("change", ({ detail: { before, after } }) => {
    const news = difference(before, after);
    const set = (values) => { settings.look = { ...settings.look, ...values }; show(); };
    history.did({ words: t("history.settings"), merge: `settings ${Object.keys(news)}`, undo: () => set(difference(after, before)), redo: () => set(news) });
    show();
    if ("preset" in news) bringIntoView();
  });
  find("curl").textContent = curlLine(wishOf(settings.look), settings.offer.formats);
  apply();
  return apply;
}

function savePage(keep, settings) {
  keep.savePage({ look: { ...settings.look }, view: chosenView });
}

/** Where there is room for one thing only, the photos take the place of the form that was used. */
function bringIntoView() {
  if (WIDE.matches || !photos.all.length) return;
  find("settings").open = false;
  find("photos").scrollIntoView({ behavior: CALM.matches ? "auto" : "smooth" });
}

/** Change a photo's own look. An undefined value takes away what it has of its own. */
function change(photo, changes, merge, work) {
  const names = Object.keys(changes).filter((name) => JSON.stringify(changes[name]) !== JSON.stringify(photo.own[name]) || changes[name] instanceof File);
  if (!names.length) return;
  const pick = (own) => Object.fromEntries(names.map((name) => [name, own[name]]));
  const set = (values) => {
    const own = { ...photo.own, ...values };
    for (const name of names) if (own[name] === undefined) delete own[name];
    photo.own = { ...PLAIN_OWN, ...own };
    work.pump();
    photos.changed(photo);
  };
  const [before, after] = [pick(photo.own), pick(changes)];
  history.did({ photo, words: t("history.own", { name: photo.name }), merge: merge && `${merge} ${photo.id} ${names}`, undo: () => set(before), redo: () => set(after) });
  set(after);
}

function enlarge(some, changeOwn) {
  for (const photo of some) changeOwn(photo, { max_upscale: enlargement(photo) });
}

function remove(some, work) {
  if (!some.length) return;
  const words = some.length === 1 ? t("history.removed", { name: some[0].name }) : t("history.removed-all", { count: some.length });
  let putBack = photos.remove(some);
  history.did({ words, undo: () => { putBack(); work.pump(); }, redo: () => { putBack = photos.remove(some); } });
  if (!photos.all.length) find("pick").focus();
  showToast(words);
}

function followHistory(work) {
  const undone = (step) => step && say(t("history.undone", { words: step.words }));
  const redone = (step) => step && say(t("history.redone", { words: step.words }));
  find("page-undo").addEventListener("click", () => undone(history.undo()));
  find("page-redo").addEventListener("click", () => redone(history.redo()));
  find("toast-undo").addEventListener("click", () => { undone(history.undo()); hideToast(); find("photos").focus(); });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]") || event.target.matches("input[type=text]")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redone(history.redo());
    else undone(history.undo());
  });
  history.addEventListener("change", () => {
    for (const [id, step, words] of [["page-undo", history.last(), "history.undo"], ["page-redo", history.next(), "history.redo"]]) {
      const button = find(id);
      if (!step && document.activeElement === button) find("photos-title").focus();
      button.disabled = !step;
      button.title = step ? t(words, { words: step.words }) : "";
    }
    if (toasted !== history.last()) hideToast();
    work.pump();
  });
}

let toasted = null;
let toastTimer = 0;

function showToast(words) {
  toasted = history.last();
  find("toast-words").textContent = words;
  find("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(hideToast, TOAST_MS);
}

function hideToast() {
  if (find("toast").matches(":focus-within, :hover")) toastTimer = setTimeout(hideToast, TOAST_MS);
  else find("toast").hidden = true;
}

let chosenView = "auto";

/** How the photos are listed: "large", "small" or "list"; "auto": by how many they are, until somebody chooses. */
function showView(view) {
  chosenView = view;
  const shown = view === "auto" ? (photos.all.length > MANY ? "small" : "large") : view;
  find("cards").dataset.view = shown;
  find("view").querySelector(`[value=${shown}]`).checked = true;
}

function curlBox() {
  const button = make("button", { type: "button" }, t("curl.copy"));
  const box = make("details", { className: "curl" }, make("summary", {}, t("curl.title")),
    make("pre", { id: "curl", tabIndex: 0, role: "region", ariaLabel: t("curl.label") }),
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
  const tryNow = [t("app.try-now"), () => connection.tryNow()];
  if (connection.state === "gone") return [t("app.gone"), ...tryNow];
  if (keys.putOff) return [t("app.key-waits"), t("app.enter-key"), () => keys.ask()];
  if (connection.state === "busy") return [t("app.busy", { count: Math.max(1, Math.ceil(connection.pauseS)) }), ...tryNow];
  if (keys.notice) return [keys.notice, t("app.close"), () => keys.dismiss()];
  return stop ?? ["", "", null];
}

let stop = null;

function showStop(work, settings) {
  const problem = work.stopped?.problem;
  if (problem?.slug === "invalid-option") settings.complain(problem.message);
  stop = problem && problem.slug !== "invalid-option" ? [t("app.no-credits", { why: problem.message }), t("app.try-again"), () => work.resume()] : null;
  showBanner();
}

let spoken = { at: 0, words: "" };

function showTally(work) {
  if (chosenView === "auto") showView("auto");
  const all = photos.all.length;
  const count = (test) => photos.all.filter(test).length;
  const failed = count((photo) => photo.failure);
  const done = count((photo) => !photo.failure && work.isDone(photo));
  const look = count((photo) => work.isDone(photo) && photo.needsLook);
  const rules = count((photo) => work.isDone(photo) && photo.breaksRules && !photo.needsLook);
  const ready = done - look - rules;
  const words = [t("app.tally.ready", { count: ready, all }), look && t("app.tally.look", { count: look }),
    rules && t("app.tally.rules", { count: rules }), failed && t("app.tally.failed", { count: failed })].filter(Boolean).join(", ");
  find("tally").textContent = `${words}.`;
  const settled = done + failed;
  find("all").value = all ? settled / all : 0;
  find("all").hidden = settled === all;
  const made = count((photo) => photo.isMade);
  find("download-all").disabled = !made;
  find("download-all").textContent = made === all ? t("app.download-all", { count: made }) : t("app.download-some", { count: made, all });
  const small = count(enlargement);
  find("hint").hidden = !small;
  find("hint-words").textContent = t("app.too-small", { count: small });
  speak(`${words}.`, settled === all);
}

/** Tell listeners how it goes: now and then, and when all is done. */
function speak(words, done) {
  if (!photos.all.length || words === spoken.words || (!done && Date.now() - spoken.at < SPEAK_EACH_MS)) return;
  spoken = { at: Date.now(), words };
  say(done ? t("app.all-done", { tally: words }) : words);
}

async function downloadAll(settings) {
  const made = photos.all.filter((photo) => photo.isMade);
  const names = outputNames(made.map((photo) => photo.output));
  try {
    const file = await zip(made.map((photo, index) => ({ name: names[index], blob: photo.result.blob })));
    saveAs(file, settings.preset ? `packshots-${settings.preset.name}.zip` : "packshots.zip");
    for (const photo of made) photo.saved = true;
    photos.changed();
  } catch (error) {
    say(error.message);
    find("tally").textContent = error.message;
  }
}

start().catch((error) => {
  find("banner-text").textContent = t("app.broken", { why: error.message });
  find("banner-button").textContent = t("app.load-again");
  find("banner-button").onclick = () => location.reload();
  find("banner").hidden = false;
});
