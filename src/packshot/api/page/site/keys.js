// The access key: it comes with the link that packshot prints, from another tab, or is asked for.

import { find } from "./dom.js";
import { t } from "./language.js";
import { checkKey, Gone, Problem } from "./service.js";

const PLACE = "packshot-key";
const OTHER_TABS_MS = 200; // to answer; they take 5

/** Says "change" when a key comes or goes, when the question is put off, or when there is a notice. */
export class Keys extends EventTarget {
  notice = ""; // what was wrong with a link, while an earlier key is in use
  dialog = find("key");
  #key = "";
  #asked = null;
  #answer = () => {};
  #arriving; // settled once it is known whether a key comes by itself
  #connection;
  #tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel(PLACE) : null;

  constructor(connection) {
    super();
    this.#connection = connection;
    this.#key = stored();
    find("key-button").addEventListener("click", () => this.ask());
    find("key-later").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.#changed());
    find("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter(find("key-text").value.trim());
    });
    this.#tabs?.addEventListener("message", ({ data }) => this.#hear(data));
    addEventListener("hashchange", () => this.#follow(keyInAddress())); // the link was opened in this very tab
    this.#arriving = this.#key ? Promise.resolve() : this.#askTabs();
    this.#follow(keyInAddress());
  }

  get known() {
    return Boolean(this.#key);
  }

  /** Whether work waits for a key and nobody is asked for it. */
  get putOff() {
    return Boolean(this.#asked) && !this.dialog.open;
  }

  /** The key; asks when there is none. */
  async get() {
    await this.#arriving;
    if (this.#key) return this.#key;
    if (!this.#asked) {
      this.#asked = new Promise((resolve) => { this.#answer = resolve; });
      this.ask();
    }
    return this.#asked;
  }

  /** The service does not take this key: forget it, say why, ask again. Photos in flight say it once. */
  refuse(key, problem) {
    if (key !== this.#key) return;
    this.#key = "";
    store("");
    this.#asked = new Promise((resolve) => { this.#answer = resolve; });
    this.ask(t(isLocked(problem) ? "key.locked" : "key.unknown"));
  }

  ask(why = "") {
    find("key-why").textContent = why;
    find("key-text").value = "";
    if (!this.dialog.open) this.dialog.showModal();
    find("key-text").focus();
    this.#changed();
  }

  dismiss() {
    this.notice = "";
    this.#changed();
  }

  #enter(key) {
    if (key) this.#take(key);
    else find("key-why").textContent = t("key.empty");
  }

  #take(key) {
    this.#key = key;
    this.#asked = null;
    this.notice = "";
    store(key);
    if (this.dialog.open) this.dialog.close();
    this.#changed();
    this.#answer(key);
  }

  /** Take the key of a link if the service knows it; else the one from before stays. */
  #follow(key) {
    if (!key) return;
    this.#arriving = Promise.all([this.#arriving, this.#try(key)]);
  }

  async #try(key) {
    for (;;) {
      await this.#connection.ready();
      try {
        await checkKey(key);
        this.#take(key);
        this.#tabs?.postMessage({ key });
        return;
      } catch (error) {
        if (error instanceof Gone) this.#connection.lost();
        else if (error instanceof Problem && error.retryAfterS !== null) this.#connection.hold(error.retryAfterS);
        else return this.#decline(error);
      }
    }
  }

  #decline(problem) {
    let why = problem.message;
    if (isLocked(problem)) why = t("key.link-locked");
    else if (problem.status === 401) why = t("key.link-unknown");
    if (!this.#key) return this.ask(why);
    this.notice = t("key.link-kept", { why, help: find("key-help").textContent });
    return this.#changed();
  }

  #hear({ wanted, key }) {
    if (wanted && this.#key) this.#tabs.postMessage({ key: this.#key });
    else if (key && !this.#key) this.#take(key);
  }

  #askTabs() {
    if (!this.#tabs) return Promise.resolve();
    return new Promise((resolve) => {
      this.#tabs.addEventListener("message", ({ data }) => data.key && resolve());
      setTimeout(resolve, OTHER_TABS_MS);
      this.#tabs.postMessage({ wanted: true });
    });
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

const isLocked = ({ slug }) => slug === "locked-key";

/** The key of a link, `#key=...`, which is taken out of the address bar at once; "" where there is none. */
function keyInAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key !== null) history.replaceState(history.state, "", location.pathname + location.search);
  return key?.trim() ?? "";
}

// A browser may forbid storage; then the key lives as long as the page.
function stored() {
  try {
    return sessionStorage.getItem(PLACE) ?? "";
  } catch {
    return "";
  }
}

function store(key) {
  try {
    if (key) sessionStorage.setItem(PLACE, key);
    else sessionStorage.removeItem(PLACE);
  } catch {
    // kept in memory
  }
}
