// Assigns sessions to tabs: a claim on a name, which ends with the tab. Two tabs never hold the same claim.

const PLACE = "packshot-session";
const RELOAD_MS = 500; // during a reload, the previous page may hold the lock this long
const ANSWER_MS = 200; // time for other tabs to answer; they need 5

export const newToken = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");

/**
 * The claims of this tab. On HTTPS and localhost they are Web Locks. Over plain HTTP the tabs ask each other. A suspended
 * tab does not answer, so Session checks the owner as well.
 */
export class Claims {
  #tabs = null;
  #mine = null; // { name, token, sure }, if tabs ask each other
  #letGo = () => {};

  constructor() {
    if (navigator.locks || !("BroadcastChannel" in globalThis)) return;
    this.#tabs = new BroadcastChannel(PLACE);
    this.#tabs.addEventListener("message", ({ data }) => this.#answer(data));
  }

  /** Claim a name. Returns whether this tab has it now. patient: wait a moment if another tab has it. */
  async take(name, { patient = false } = {}) {
    if (navigator.locks) return this.#lock(name, patient);
    if (!this.#tabs) return true;
    this.#mine = { name, token: newToken(), sure: false };
    this.#mine.sure = !(await this.#isHeld(name, this.#mine.token));
    return this.#mine.sure;
  }

  /** Call act() if no tab has the name, and hold the name meanwhile. */
  async meanwhile(name, act) {
    if (navigator.locks) return navigator.locks.request(`${PLACE}-${name}`, { ifAvailable: true }, (lock) => lock && act());
    return (await this.#isHeld(name, "")) ? null : act();
  }

  release() {
    this.#mine = null;
    this.#letGo();
  }

  #lock(name, patient) {
    return new Promise((resolve) => {
      const hold = (lock) => {
        resolve(Boolean(lock));
        return lock && new Promise((letGo) => { this.#letGo = letGo; });
      };
      const how = patient ? { signal: AbortSignal.timeout(RELOAD_MS) } : { ifAvailable: true };
      navigator.locks.request(`${PLACE}-${name}`, how, hold).catch(() => resolve(false));
    });
  }

  #isHeld(asked, token) {
    if (!this.#tabs) return false;
    return new Promise((resolve) => {
      const end = (isHeld) => {
        clearTimeout(timer);
        this.#tabs.removeEventListener("message", hear);
        resolve(isHeld);
      };
      const hear = ({ data }) => {
        if (data.held === asked && data.to === token) end(true);
        if (data.asked === asked && data.token && data.token < token) end(true); // of two tabs that ask at once, one gets it
      };
      const timer = setTimeout(() => end(false), ANSWER_MS);
      this.#tabs.addEventListener("message", hear);
      this.#tabs.postMessage({ asked, token });
    });
  }

  #answer({ asked, token }) {
    if (!this.#mine || asked !== this.#mine.name) return;
    if (this.#mine.sure || !token || this.#mine.token < token) this.#tabs.postMessage({ held: asked, to: token });
  }
}
