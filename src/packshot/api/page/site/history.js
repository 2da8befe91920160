// The steps that were done on the page, so that they can be taken back: settings, a photo's own look, strokes, removals.

const MOST = 200;

/**
 * A step: { photo, words, undo(), redo(), can(act) }. photo: the one that it concerns, or null. words: what was done.
 * can: whether "undo" or "redo" still means anything; a step without it always does. Steps of different photos change
 * different things, so that the last step of one can be taken back before later ones of others.
 * Says "change".
 */
export class History extends EventTarget {
  #done = [];
  #undone = [];

  /** Note a step that has been done. `merge`: a name; a step that follows one of the same name at once is one with it. */
  did(step) {
    const last = this.#done.at(-1);
    if (step.merge && last?.merge === step.merge && Date.now() - last.at < 1000) Object.assign(last, { redo: step.redo, at: Date.now() });
    else this.#done.push({ photo: null, at: Date.now(), ...step });
    this.#undone = [];
    while (this.#done.length > MOST) this.#done.shift();
    this.#changed();
  }

  /** The last step that can be taken back, of one photo or of any. */
  last(photo = null) {
    return this.#find(this.#done, "undo", photo);
  }

  next(photo = null) {
    return this.#find(this.#undone, "redo", photo);
  }

  /** Take the last step back; returns it, or null where there is none. */
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
