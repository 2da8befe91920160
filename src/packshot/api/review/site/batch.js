// The client of the review's endpoints: one place, its photos, and people's decisions.

import { insist } from "./connection.js";
import { Problem, reach } from "./service.js";

const address = (path) => new URL(`v1/reviews${path}`, document.baseURI);
const KEPT_PICTURES = 24;

/** Another person decided about the photo first. by, at: who and when. */
export class Conflict extends Error {}

/** Requests that wait until the service answers and a key is known. */
export class Calls {
  constructor({ connection, keys }) {
    Object.assign(this, { connection, keys });
  }

  places() {
    return this.json("");
  }

  async json(path, init) {
    return (await this.#send(path, init)).json();
  }

  async blob(path, init) {
    return (await this.#send(path, init)).blob();
  }

  #send(path, { signal = new AbortController().signal, onWait, ...init } = {}) {
    const attempt = async (key) => {
      try {
        return await reach(address(path), { ...init, signal, headers: key ? { Authorization: `Bearer ${key}` } : {} });
      } catch (error) {
        if (error instanceof Problem && error.status === 409) throw Object.assign(new Conflict(error.message), error.said);
        throw error;
      }
    };
    return insist(attempt, { connection: this.connection, keys: this.keys, signal, onWait });
  }
}

/** One place. Pictures are returned as blob URLs; the latest ones are cached. */
export class Batch {
  #pictures = new Map(); // promises of blob URLs, by path

  constructor(calls, name) {
    Object.assign(this, { calls, path: `/${encodeURIComponent(name)}` });
  }

  list() {
    return this.calls.json(`${this.path}/photos`);
  }

  changes() {
    return this.calls.json(`${this.path}/changes`);
  }

  photo({ id }) {
    return this.calls.json(`${this.path}/photos/${id}`);
  }

  table() {
    return this.calls.blob(`${this.path}/decisions.csv`);
  }

  photoUrl({ id }) {
    return this.#picture(`${this.path}/photos/${id}/photo`);
  }

  /** The URL of an output. Its version changes when the picture is made again, so that the cache does not serve the old one. */
  outputUrl({ id, outputs }, index) {
    return this.#picture(`${this.path}/photos/${id}/outputs/${index}?${new URLSearchParams({ v: outputs[index].version })}`);
  }

  /** The cutout of the whole photo, with the corrections of a painted picture (a blob, or null). */
  preview({ id }, painted, given) {
    const body = new FormData();
    if (painted) body.append("touch_up", painted, "touch_up.png");
    else body.append("none", "");
    return this.calls.blob(`${this.path}/photos/${id}/preview`, { method: "POST", body, ...given });
  }

  /** Send a decision. said: verdict or restore, by, comment. Resolves to the photo's new state; rejects with a Conflict. */
  decide({ id, revision }, { options, painted, ...said }) {
    const body = new FormData();
    for (const [name, value] of Object.entries({ ...said, revision })) body.append(name, value);
    if (options) body.append("options", JSON.stringify(options));
    if (painted) body.append("touch_up", painted, "touch_up.png");
    return this.calls.json(`${this.path}/photos/${id}/decisions`, { method: "POST", body });
  }

  #picture(path) {
    let known = this.#pictures.get(path);
    this.#pictures.delete(path);
    known ??= this.calls.blob(path).then((blob) => URL.createObjectURL(blob));
    this.#pictures.set(path, known); // the newest last
    known.catch(() => this.#pictures.delete(path));
    for (const [oldest, url] of this.#pictures) {
      if (this.#pictures.size <= KEPT_PICTURES) break;
      this.#pictures.delete(oldest);
      url.then((text) => URL.revokeObjectURL(text), () => undefined);
    }
    return known;
  }
}
