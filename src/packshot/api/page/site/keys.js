// The access key: from the link that packshot prints, from another tab, or from the user.

import { find } from "./dom.js";
import { t } from "./language.js";
import { checkKey, Gone, Problem } from "./service.js";

const PLACE = "packshot-key";
const OTHER_TABS_MS = 200; // time for other tabs to answer; they need 5

/** Dispatches "change" when a key is set or removed, when the user postpones the dialog, or for a notice. */
export class Keys extends EventTarget {
  notice = ""; // the problem with a link, while an earlier key is in use
  dialog = find("key");
  #key = "";
  #asked = null;
  #answer = () => {};
  #arriving; // settled once it is known whether a key arrives without asking the user
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
    addEventListener("hashchange", () => this.#follow(keyInAddress())); // the user opened the link in this tab
    this.#arriving = this.#key ? Promise.resolve() : this.#askTabs();
    this.#follow(keyInAddress());
  }

  get known() {
    return Boolean(this.#key);
  }

  /** Whether work waits for a key while the dialog is postponed. */
  get putOff() {
    return Boolean(this.#asked) && !this.dialog.open;
  }

  /** The key. Asks the user if there is none. */
  async get() {
    await this.#arriving;
    if (this.#key) return this.#key;
    if (!this.#asked) {
      this.#asked = new Promise((resolve) => { this.#answer = resolve; });
      this.ask();
    }
    return this.#asked;
  }

  /** Forget a key that the service rejects, show the reason, and ask again. Done once for all photos in work. */
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

  /** Use the key of a link if the service knows it; otherwise the previous key stays. */
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

/** The key of a link, `#key=...`, or "". Removes it from the address bar at once. */
function keyInAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key !== null) history.replaceState(history.state, "", location.pathname + location.search);
  return key?.trim() ?? "";
}

// If the browser forbids storage, the key is kept only while the page is open.
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
