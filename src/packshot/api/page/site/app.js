// The page: assembles its parts.

import { followTrouble } from "./banner.js";
import { Connection } from "./connection.js";
import { copy, curlLine } from "./curl.js";
import { find, make, say } from "./dom.js";
import { downloadAll, downloadEach, downloadOne } from "./downloads.js";
import { takePhotos } from "./drop.js";
import { History } from "./history.js";
import { Keep } from "./keep.js";
import { Keys } from "./keys.js";
import { t } from "./language.js";
import { List } from "./list.js";
import { PLAIN_OWN, difference, presetNames, wishOf } from "./looks.js";
import { Photo, Photos } from "./photos.js";
import { knownPresets } from "./presets.js";
import { enlargement } from "./report.js";
import { sampleList, samples } from "./samples.js";
import { about, Gone } from "./service.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { followHistory, showToast } from "./taking_back.js";
import { showTally } from "./tally.js";
import { Viewer } from "./viewer.js";
import { Work } from "./work.js";
import { kinds } from "./words.js";

const DEBOUNCE_MS = 150;
const MANY = 24; // from this number of photos on, cards are small
const WIDE = matchMedia("(min-width: 60rem)");
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

const connection = new Connection();
const photos = new Photos();
const keys = new Keys(connection);
const history = new History();

/** Build the page, once GET /v1/about has answered. */
async function start() {
  const followWork = followTrouble({ connection, keys });
  const [offer, session] = await Promise.all([offered(), Session.open()]);
  const keep = new Keep({ session, photos });
  const earlier = await keep.restore();
  const settings = new Settings(offer);
  const work = new Work({ photos, connection, keys, offer });
  const changeOwn = (photo, changes, merge) => change(photo, changes, merge, work);
  const viewer = new Viewer({ photos, work, offer, history, changeOwn, onSave: save, onClosed: (photo) => list.focus(photo) });
  const list = new List({ photos, work, onOpen: (photo, mode) => viewer.open(photo, mode), onRemove: (photo) => remove([photo], work),
    onEnlarge: (photo) => enlarge([photo], changeOwn), onSave: save });
  find("inputs").textContent = t("app.inputs", { kinds: kinds(offer), max_bytes: offer.inputs.max_bytes });
  find("form").append(curlBox());
  photos.addEventListener("change", ({ detail: { photo } }) => { list.update(photo); viewer.update(photo); showTally(photos, work); showView(chosenView); });
  followWork(work, settings);
  followHistory(history, () => work.pump());
  showView(earlier.page.view ?? "auto");
  if (earlier.page.look) settings.look = known(earlier.page.look, offer);
  const apply = follow(settings, work, keep);
  photos.add(earlier.photos);
  takeIn(offer, work, apply);
  find("view").addEventListener("change", (event) => { showView(event.target.value); savePage(keep, settings); });
  find("download-all").addEventListener("click", () => saved(photos.all.filter((photo) => photo.isMade), (made) => downloadAll(made, presetNames(settings.look))));
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

/** A look from an earlier visit, without presets that no longer exist. */
function known(look, offer) {
  return { ...look, preset: knownPresets(offer, look) };
}

function takeIn(offer, work, apply) {
  const take = (files, others = 0) => {
    if (find("viewer").open) return;
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

/** Apply settings to all photos shortly after the last change. Returns a function that applies them now. */
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
    if ("preset" in news && !before.preset) bringIntoView(); // after a second preset, the user may add a third
  });
  find("curl").textContent = curlLine(wishOf(settings.look), settings.offer.formats);
  apply();
  return apply;
}

function savePage(keep, settings) {
  keep.savePage({ look: { ...settings.look }, view: chosenView });
}

/** On small screens, scroll from the form to the photos. */
function bringIntoView() {
  if (WIDE.matches || !photos.all.length) return;
  find("settings").open = false;
  find("photos").scrollIntoView({ behavior: CALM.matches ? "auto" : "smooth" });
}

/** Change a photo's own look. An undefined value removes the photo's own setting. */
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
  showToast(words, history.last());
}

let chosenView = "auto";

/** Set the view of the photos: "large", "small" or "list"; "auto" depends on their number until the user chooses. */
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

/** Download a photo's shown picture, or with `each` all its pictures. */
const save = (photo, { each = false } = {}) => saved(photo, each ? downloadEach : downloadOne);

/** Download with a function of downloads.js, and show an error message on failure. */
async function saved(what, download) {
  try {
    await download(what);
    photos.changed(Array.isArray(what) ? null : what);
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
