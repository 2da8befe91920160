// The review page: assembles its parts, and handles keys and buttons.

import { followTrouble } from "./banner.js";
import { Batch, Calls, Conflict } from "./batch.js";
import { Bench } from "./bench.js";
import { Connection } from "./connection.js";
import { find, make, saveAs, say } from "./dom.js";
import { Keys } from "./keys.js";
import { language, learn, t } from "./language.js";
import { Pictures } from "./pictures.js";

const BY = "packshot-review-by";
const LOOK_EVERY_MS = 15_000; // interval to look for decisions of other people
const TOAST_MS = 6000;
const AHEAD = 2; // number of next photos whose pictures are prefetched
const TICKS = { good: "\u2713", corrected: "\u270e", again: "\u21bb", "photograph-again": "!" };
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

await learn("review");

const connection = new Connection();
const withKeys = document.querySelector("meta[name=packshot-keys]").content === "yes";
const keys = withKeys ? new Keys(connection) : Object.assign(new EventTarget(), { known: true, get: async () => null, refuse() {} });
find("key-button").hidden = !withKeys;
followTrouble({ connection, keys });

/** The review of one batch. */
class Reviewing {
  photos = [];
  current = null;
  #filter = "look";
  #done = []; // decisions of this page, for undo: { id, before: the revision before the decision }
  #toast = 0;
  #busy = 0; // photos that are being made again
  #pending = new Set(); // ids of photos whose decision is being sent
  #finished = false;

  constructor(batch) {
    this.batch = batch;
    this.pictures = new Pictures({ batch, onOpen: (index) => this.bench.open(this.current, index) });
    this.bench = new Bench({ batch, onPainted: () => this.#buttons() });
    this.#listen();
  }

  async start() {
    const { photos, by, place, count } = await this.batch.list();
    this.photos = photos;
    find("place").replaceChildren(make("bdi", {}, place));
    find("place").title = place;
    find("by").value = storedName() || by;
    find("loading").hidden = true;
    for (const name of ["review", "done-box", "who", "csv"]) find(name).hidden = false;
    find("more").hidden = photos.length === count;
    find("more").textContent = t("review.more", { count: photos.length, all: count });
    if (!this.#shown().some((photo) => !photo.decided) && photos.some((photo) => !photo.needs_look)) this.#choose(this.#counts().look ? "look" : "all");
    const first = this.#shown().find((photo) => !photo.decided) ?? this.#shown()[0];
    this.#list();
    this.#head();
    if (first) await this.show(first);
    setInterval(() => !document.hidden && this.#follow(), LOOK_EVERY_MS);
  }

  async show(photo) {
    if (this.bench.isPainted && photo.id !== this.current?.id && !this.#leavesPainting()) return;
    this.bench.close();
    find("again").hidden = true;
    find("notice").hidden = true;
    find("comment").value = "";
    this.current = photo;
    this.#draw();
    this.#fetchAhead();
    if (photo.revision) this.#refresh(photo);
  }

  #listen() {
    const on = (name, act, kind = "click") => find(name).addEventListener(kind, act);
    on("previous", () => this.#go(-1));
    on("next", () => this.#go(1));
    on("good", () => this.#judge("good"));
    on("photograph", () => this.#judge("photograph-again"));
    on("correct", () => this.#paint());
    on("again-button", () => this.#ask());
    on("take-back", () => this.#takeBack());
    on("toast-button", () => this.#takeBack());
    on("save", () => this.#save());
    on("leave", () => this.#leave());
    on("side-by-side", () => this.bench.close());
    on("again-cancel", () => this.#closeAsk());
    on("again", (event) => { event.preventDefault(); this.#again(); }, "submit");
    on("filters", (event) => { this.#filter = event.target.value; this.#list(); }, "change");
    on("by", () => storeName(find("by").value.trim()), "change");
    for (const name of ["csv", "finished-csv"]) on(name, async () => saveAs(await this.batch.table(), "decisions.csv"));
    on("finished-all", () => { this.#finish(false); this.#choose("all"); this.#list(); });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    const { target, key } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (key === "Escape" && this.#escape()) return event.preventDefault();
    if (target.matches("input[type=text], input[type=password], select, textarea")) return;
    const paints = this.bench.mode === "paint";
    if (paints && key === "Enter" && target.id !== "stage" && !target.matches("button")) { event.preventDefault(); this.#save(); return; }
    if (paints || target.matches("input")) return;
    const acts = { j: () => this.#go(1), k: () => this.#go(-1), g: () => this.#judge("good"), p: () => this.#judge("photograph-again"),
      c: () => this.#paint(), a: () => this.#ask(), z: () => this.#takeBack(), m: () => this.pictures.toggleMatte(this.current) };
    const arrows = { ArrowDown: acts.j, ArrowRight: acts.j, ArrowUp: acts.k, ArrowLeft: acts.k };
    const act = acts[key.toLowerCase()] ?? (target.matches("#stage, #pictures, figcaption") ? undefined : arrows[key]);
    if (!act || !this.current || event.shiftKey) return;
    event.preventDefault();
    act();
  }

  #escape() {
    if (!find("again").hidden) { this.#closeAsk(); return true; }
    if (this.bench.mode === "paint") { this.#leave(); return true; }
    if (this.bench.mode) { this.bench.close(); return true; }
    return false;
  }

  // Deciding

  /** Send a verdict and go to the next photo at once. The response arrives later. */
  async #judge(verdict) {
    const photo = this.current;
    if (!photo || !this.#named()) return;
    const comment = find("comment").value.trim();
    const next = this.#nextOpen(photo);
    const deciding = this.#decide(photo, { verdict, comment });
    if (next) this.show(next);
    if (await deciding) return;
    if (!this.#pending.size && !this.#nextOpen(photo) && this.current.decided) this.#finish(true);
  }

  #paint() {
    if (this.current && this.#named()) this.bench.paint(this.current).then(() => this.#buttons());
  }

  async #save() {
    if (!this.bench.isPainted) return this.#leave();
    const photo = this.current;
    const painted = await this.bench.painted();
    const comment = find("comment").value.trim();
    this.bench.close();
    return this.#make(photo, { verdict: "corrected", comment, painted });
  }

  #leave() {
    if (this.bench.isPainted && !this.#leavesPainting()) return;
    this.bench.close();
    find("correct").focus();
  }

  #leavesPainting() {
    const words = t("review.leave");
    return globalThis.confirm(`${words}?`);
  }

  #ask() {
    if (!this.current || !this.#named()) return;
    this.bench.close();
    const form = find("again");
    const own = this.current.decision?.is_past ? {} : this.current.decision?.options ?? {};
    for (const field of form.elements) if (field.name) field.value = own[field.name] ?? "";
    find("again-why").hidden = true;
    form.hidden = false;
    form.elements[0].focus();
    form.scrollIntoView({ block: "nearest" });
  }

  #closeAsk() {
    find("again").hidden = true;
    find("again-button").focus();
  }

  async #again() {
    const options = Object.fromEntries([...new FormData(find("again"))].filter(([, value]) => value.trim()));
    const comment = find("comment").value.trim();
    const error = await this.#make(this.current, { verdict: "again", comment, options });
    if (error) Object.assign(find("again-why"), { textContent: error.message, hidden: false });
    else find("again").hidden = true;
  }

  async #takeBack() {
    const last = this.#done.pop();
    if (!last) return;
    const photo = this.photos.find(({ id }) => id === last.id);
    this.#finish(false);
    await this.show(photo);
    const error = await this.#make(photo, { restore: last.before }, false);
    if (error) this.#done.push(last);
    else say(t("review.taken-back", { name: photo.source }));
    this.#buttons();
  }

  /** Send a decision that makes pictures again. Stays with the photo. Returns the error, if any. */
  async #make(photo, said, notes = true) {
    this.#busy += 1;
    this.#draw();
    find("pictures").classList.add("busy-making");
    say(t("review.working"));
    const error = await this.#decide(photo, said, notes);
    this.#busy -= 1;
    if (!this.#busy) find("pictures").classList.remove("busy-making");
    if (!error && notes) this.#tell(t("review.made-again", { count: this.#of(photo).outputs.length }), true);
    this.#draw();
    return error;
  }

  async #decide(photo, said, notes = true) {
    const before = photo.revision;
    this.#pending.add(photo.id);
    try {
      this.#take(await this.batch.decide(photo, { by: find("by").value.trim(), ...said }));
      if (notes) this.#done.push({ id: photo.id, before });
      this.#buttons();
      return null;
    } catch (error) {
      if (error instanceof Conflict && error.by) await this.#conflict(photo, error);
      else if (error.name !== "AbortError") this.#notice(t("review.failed", { name: photo.source, why: error.message }));
      return error;
    } finally {
      this.#pending.delete(photo.id);
    }
  }

  /** Show that another person decided first, and offer to open the photo. */
  async #conflict(photo, { by, at }) {
    this.#take(await this.batch.photo(photo));
    this.#notice(t("review.conflict", { by, time: clock.format(new Date(at)) }), photo);
  }

  // Decisions of others

  async #follow() {
    let changes;
    try {
      changes = await this.batch.changes();
    } catch {
      return; // the banner shows the error
    }
    for (const photo of this.photos) {
      if ((changes[photo.id] ?? 0) > photo.revision) await this.#refresh(photo);
    }
  }

  async #refresh(photo) {
    if (this.#pending.has(photo.id)) return;
    try {
      const now = await this.batch.photo(photo);
      if (now.revision === photo.revision && now.outputs.every((output, at) => output.version === photo.outputs[at]?.version)) return;
      if (this.#pending.has(photo.id) || now.revision < this.#of(photo).revision) return;
      this.#take(now);
      if (this.current?.id === now.id && now.decision && now.revision !== photo.revision) {
        this.#notice(t("review.changed", { by: now.decision.by, time: clock.format(new Date(now.decision.at)) }));
      }
    } catch {
      // the known state stays in view
    }
  }

  // Showing

  #take(now) {
    const at = this.photos.findIndex(({ id }) => id === now.id);
    this.photos[at] = now;
    if (this.current?.id === now.id) { this.current = now; this.#draw(); }
    this.#list();
    this.#head();
  }

  #of({ id }) {
    return this.photos.find((photo) => photo.id === id);
  }

  #counts() {
    return { look: this.photos.filter((photo) => photo.needs_look).length, decided: this.photos.filter((photo) => photo.decided).length,
      all: this.photos.length };
  }

  #shown() {
    return this.photos.filter((photo) => this.#filter === "all" || (this.#filter === "look" ? photo.needs_look : photo.decided));
  }

  #choose(filter) {
    this.#filter = filter;
    document.querySelector(`[name=filter][value=${filter}]`).checked = true;
  }

  #nextOpen(photo) {
    const shown = this.#shown();
    const at = shown.findIndex(({ id }) => id === photo.id);
    return [...shown.slice(at + 1), ...shown.slice(0, Math.max(0, at))].find((each) => !each.decided && each.id !== photo.id && !this.#pending.has(each.id));
  }

  #go(by) {
    const shown = this.#shown();
    const to = shown[shown.findIndex(({ id }) => id === this.current?.id) + by];
    if (!to) return;
    this.show(to);
    say(to.source);
  }

  #draw() {
    const photo = this.current;
    const shown = this.#shown();
    const at = shown.findIndex(({ id }) => id === photo.id);
    find("name").textContent = photo.source;
    find("previous").disabled = at <= 0;
    find("next").disabled = at === shown.length - 1;
    find("badges").replaceChildren(...badges(photo));
    const words = decided(photo);
    Object.assign(find("decision"), { textContent: words, hidden: !words });
    this.pictures.show(photo);
    this.#buttons();
    this.#mark();
  }

  #buttons() {
    find("take-back").disabled = !this.#done.length;
    find("save").disabled = !this.bench.isPainted;
  }

  #head() {
    const { decided: done, look } = this.#counts();
    const [all, of] = [Math.max(look, done), done];
    Object.assign(find("done"), { max: Math.max(1, all), value: of });
    find("done-words").textContent = t("review.progress", { done: of, all });
    for (const [name, count] of Object.entries(this.#counts())) find(`filter-${name}`).textContent = t(`review.filter-${name}`, { all: count });
  }

  #list() {
    const shown = this.#shown();
    const empty = make("li", { className: "empty" }, t(this.#filter === "decided" ? "review.none-decided" : "review.none-look"));
    find("photos").replaceChildren(...(shown.length ? shown.map((photo) => this.#item(photo)) : [empty]));
    this.#mark();
  }

  #item(photo) {
    const tick = photo.decided ? make("span", { className: `tick ${photo.decision.verdict}`, "aria-hidden": "true" }, TICKS[photo.decision.verdict] ?? "\u2713") : null;
    const what = photo.decided ? decided(photo) : [...photo.states.filter((state) => state !== "fine").map((state) => t(`review.badge-${state}`)),
      photo.confidence === null ? null : t("review.sure", { share: photo.confidence })].filter(Boolean).join(", ");
    const button = make("button", { type: "button", "data-id": photo.id }, make("span", { className: "file", title: photo.source }, make("bdi", {}, photo.source)),
      make("span", { className: "what" }, what), tick);
    button.addEventListener("click", () => this.show(this.#of(photo)));
    return make("li", {}, button);
  }

  /** Mark the current photo in the list. */
  #mark() {
    for (const button of find("photos").querySelectorAll("button")) {
      const is = button.dataset.id === this.current?.id;
      if (is && button.getAttribute("aria-current") !== "true") {
        const place = find("photos");
        const [top, bottom] = [button.offsetTop - place.offsetTop, button.offsetTop - place.offsetTop + button.offsetHeight];
        if (top < place.scrollTop || bottom > place.scrollTop + place.clientHeight) place.scrollTop = top - place.clientHeight / 3;
      }
      button.setAttribute("aria-current", String(is));
    }
  }

  #fetchAhead() {
    const shown = this.#shown();
    const at = shown.findIndex(({ id }) => id === this.current.id);
    for (const photo of shown.slice(at + 1, at + 1 + AHEAD)) {
      const quietly = (coming) => coming.catch(() => undefined);
      quietly(this.batch.photoUrl(photo));
      photo.outputs.forEach((output, index) => output.ok && quietly(this.batch.outputUrl(photo, index)));
    }
  }

  #finish(is) {
    if (this.#finished === is) return;
    this.#finished = is;
    find("review").hidden = is;
    find("finished").hidden = !is;
    if (!is) return;
    const count = (verdict) => this.photos.filter((photo) => photo.decided && photo.decision.verdict === verdict).length;
    find("finished-words").textContent = t("review.finished-words", { good: count("good"), corrected: count("corrected"), again: count("again"),
      photograph: count("photograph-again") });
    find("finished-title").focus();
  }

  #notice(words, photo = null) {
    find("notice-words").textContent = words;
    Object.assign(find("notice-button"), { textContent: t("review.changed-see"), hidden: !photo });
    find("notice-button").onclick = () => this.show(this.#of(photo));
    find("notice").hidden = false;
  }

  #tell(words, back) {
    clearTimeout(this.#toast);
    find("toast-words").textContent = words;
    find("toast-button").hidden = !back;
    find("toast").hidden = false;
    say(words);
    this.#toast = setTimeout(() => { find("toast").hidden = true; }, TOAST_MS);
  }

  #named() {
    if (find("by").value.trim()) return true;
    this.#notice(t("review.by-missing"));
    find("by").focus();
    return false;
  }
}

function badges(photo) {
  const states = photo.states.filter((state) => state !== "fine").map((state) => make("span", { className: `badge ${state}` }, t(`review.badge-${state}`)));
  if (photo.confidence !== null) states.push(make("span", { className: "badge" }, t("review.sure", { share: photo.confidence })));
  return states;
}

/** The latest decision, in one line. */
function decided({ decision }) {
  if (!decision) return "";
  const { verdict, by, at, comment, options, is_past: isPast } = decision;
  const own = Object.entries(options).map(([name, value]) => `${name} ${value}`).join(", ");
  const words = [t(`review.decided-${verdict}`, { by, time: when(at) }), own, comment].filter(Boolean).join(". ");
  return isPast ? t("review.past", { words }) : words;
}

/** The time; for days other than today, with the date. */
function when(at) {
  const then = new Date(at);
  return (then.toDateString() === new Date().toDateString() ? clock : day).format(then);
}

function storedName() {
  try {
    return localStorage.getItem(BY) ?? "";
  } catch {
    return "";
  }
}

function storeName(name) {
  try {
    localStorage.setItem(BY, name);
  } catch {
    // the page asks again
  }
}

/** The height of the page's header: one to three lines. */
new ResizeObserver(([{ target }]) => document.documentElement.style.setProperty("--head", `${target.offsetHeight}px`)).observe(document.querySelector(".top"));

const calls = new Calls({ connection, keys });
const wanted = new URLSearchParams(location.search).get("place");

try {
  const { reviews } = await calls.places();
  const chosen = reviews.find(({ place }) => place === wanted) ?? (reviews.length === 1 ? reviews[0] : null);
  if (chosen) await new Reviewing(new Batch(calls, chosen.place)).start();
  else {
    find("loading").hidden = true;
    find("places").hidden = false;
    find("place-list").replaceChildren(...reviews.map(({ place, title }) => make("li", {}, make("a", { href: `?${new URLSearchParams({ place })}` }, title))));
  }
} catch (error) {
  find("loading").textContent = error.message;
}
