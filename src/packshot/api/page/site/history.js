// The undo history of the page: settings, a photo's own look, strokes, removals.

const MOST = 200;

/**
 * A step: { photo, words, undo(), redo(), can(act) }. photo: the affected one, or null. words: its description.
 * can: whether "undo" or "redo" is still possible; always without it. Steps of different photos are independent, so that
 * the last step of one can be undone before later steps of others.
 * Dispatches "change".
 */
export class History extends EventTarget {
  #done = [];
  #undone = [];

  /** Add a completed step. merge: a name; a step directly after one with the same name is merged with it. */
  did(step) {
    const last = this.#done.at(-1);
    if (step.merge && last?.merge === step.merge && Date.now() - last.at < 1000) Object.assign(last, { redo: step.redo, at: Date.now() });
    else this.#done.push({ photo: null, at: Date.now(), ...step });
    this.#undone = [];
    while (this.#done.length > MOST) this.#done.shift();
    this.#changed();
  }

  /** The last step that can be undone, of one photo or of any. */
  last(photo = null) {
    return this.#find(this.#done, "undo", photo);
  }

  next(photo = null) {
    return this.#find(this.#undone, "redo", photo);
  }

  /** Undo the last step. Returns it, or null. */
  undo(photo = null) {
    return this.#move(this.last(photo), this.#done, this.#undone, "undo");
  }

  redo(photo = null) {
    return this.#move(this.next(photo), this.#undone, this.#done, "redo");
  }

  #find(steps, act, photo) {
    return steps.findLast((step) => (!photo || step.photo === photo) && (step.can?.(act) ?? true)) ?? null;
  }

  #move(step, from, to, act) {
    if (!step) return null;
    from.splice(from.lastIndexOf(step), 1);
    to.push(step);
    step[act]();
    this.#changed();
    return step;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
