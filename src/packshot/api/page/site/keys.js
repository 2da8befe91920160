// The access key: asked for once, kept for this tab.

import { find } from "./dom.js";

const PLACE = "packshot-key";

/** Says "change" when a key comes or goes, or the question is put off. */
export class Keys extends EventTarget {
  #key = "";
  #asked = null;
  #answer = () => {};
  dialog = find("key");

  constructor() {
    super();
    this.#key = stored();
    find("key-button").addEventListener("click", () => this.ask());
    find("key-later").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.dispatchEvent(new Event("change")));
    find("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#take(find("key-text").value.trim());
    });
  }

  get known() {
    return Boolean(this.#key);
  }

  /** Whether work waits for a key and nobody is asked for it. */
  get putOff() {
    return Boolean(this.#asked) && !this.dialog.open;
  }

  /** The key; asks when there is none. */
  get() {
    if (this.#key) return Promise.resolve(this.#key);
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
    this.ask(problem.slug === "locked-key"
      ? "This key is locked. Ask whoever runs this service."
      : "The service does not know this key. Please check it: a letter may be missing at its beginning or end.");
  }

  ask(why = "") {
    find("key-why").textContent = why;
    find("key-text").value = "";
    if (!this.dialog.open) this.dialog.showModal();
    find("key-text").focus();
    this.dispatchEvent(new Event("change"));
  }

  #take(key) {
    if (!key) {
      find("key-why").textContent = "Please enter the key first.";
      return;
    }
    this.#key = key;
    this.#asked = null;
    store(key);
    this.dialog.close();
    this.#answer(key);
  }
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
