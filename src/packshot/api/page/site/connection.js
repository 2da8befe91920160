// The state of the connection. Work pauses while the service does not answer, and continues automatically.

import { about, Gone, Problem } from "./service.js";

const LONGEST_PAUSE_S = 15;
const BROKEN_SENDS = 3;
const OTHER_TRIES = 4;

/** state: "fine", "busy" (with a time to retry) or "gone". Dispatches "change" when it changes. */
export class Connection extends EventTarget {
  state = "fine";
  pauseS = 0;
  #until = 0;
  #back = null;
  #wake = () => {};

  constructor() {
    super();
    addEventListener("online", () => this.tryNow());
  }

  /** Resolves when the service is neither busy nor gone. */
  async ready() {
    for (;;) {
      const pause = this.#until - Date.now();
      if (this.#back) await this.#back;
      else if (pause > 0) await this.#sleep(pause);
      else break;
    }
    if (this.state === "busy") this.#become("fine");
  }

  /** Pause, because the service asked to retry later. */
  hold(seconds) {
    this.#until = Math.max(this.#until, Date.now() + 1000 * seconds);
    this.pauseS = seconds;
    if (!this.#back) this.#become("busy");
  }

  /** After a missing response, ask with growing pauses until the service answers. */
  lost() {
    this.#back ??= this.#probe();
  }

  tryNow() {
    this.#until = 0;
    this.#wake();
  }

  async #probe() {
    this.#become("gone");
    for (let pause = 0.5; !(await answers()); pause = Math.min(2 * pause, LONGEST_PAUSE_S)) {
      await this.#sleep(1000 * pause);
    }
    this.#back = null;
    this.#become("fine");
  }

  #sleep(ms) {
    const before = this.#wake;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => { before(); clearTimeout(timer); resolve(); };
    });
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    if (state === "fine") this.#wake = () => {};
    this.dispatchEvent(new Event("change"));
  }
}

async function answers() {
  try {
    await about();
    return true;
  } catch (error) {
    return error instanceof Problem;
  }
}

/**
 * Call `attempt(key)` until it succeeds or cannot succeed.
 * Waits for the connection, for an accepted key, and as long as the service asks to.
 * onWait: called with "key" or "service" before a wait, and with "" after it.
 */
export async function insist(attempt, { connection, keys, signal, onWait = () => {} }) {
  const tries = { broken: 0, other: 0 };
  for (;;) {
    if (connection.state !== "fine") onWait("service");
    await unlessAborted(connection.ready(), signal);
    if (!keys.known) onWait("key");
    const key = await unlessAborted(keys.get(), signal);
    onWait("");
    try {
      return await attempt(key);
    } catch (error) {
      if (signal.aborted || !goesOn(error, key, { connection, keys, tries })) throw error;
      if (tries.broken > BROKEN_SENDS) throw brokenPhoto();
    }
  }
}

/** Whether another attempt makes sense; also starts the wait before it. */
function goesOn(error, key, { connection, keys, tries }) {
  if (error instanceof Gone) {
    tries.broken += 1;
    connection.lost();
    return true;
  }
  if (!(error instanceof Problem)) return false;
  if (error.slug !== "out-of-credits" && [401, 403].includes(error.status)) {
    keys.refuse(key, error);
    return true;
  }
  if (error.retryAfterS !== null) {
    connection.hold(error.retryAfterS);
    return true;
  }
  if (![409, 502, 503, 504].includes(error.status) || tries.other >= OTHER_TRIES) return false;
  tries.other += 1;
  connection.hold(tries.other);
  return true;
}

// The service answers, but not for this photo. The usual cause is a file over a proxy's size limit.
function brokenPhoto() {
  return new Problem({ slug: "broken" });
}

function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    return promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
