// Stores the page's work in this browser: photos, looks, strokes and pictures survive a reload.

import { PLAIN_OWN } from "./looks.js";
import { Made, Photo } from "./photos.js";
import { Strokes } from "./strokes.js";

/** The stored record of a photo: values and files that a browser can store. */
function recordOf(photo) {
  const { file, path, own, given, lookedAt, saved, size, shown, remote } = photo;
  return { file, remote: remote?.id ?? null, path, own, given, lookedAt, saved, size, shown, strokes: photo.strokes.state,
    results: photo.results.map(({ key, facts, blob }) => ({ key, facts, blob })) };
}

/** Restore a photo from its record. */
function photoOf({ id, file, remote, path, own, given, lookedAt, saved, size, shown = "", strokes, results = [] }) {
  const photo = new Photo(file, id);
  Object.assign(photo, { path, own: { ...PLAIN_OWN, ...own }, given, lookedAt, size, shown, strokes: Strokes.from(strokes),
    remote: remote && { id: remote, key: null } });
  if (results.length) photo.take(results.map((result) => new Made(result.key, result)));
  photo.saved = saved;
  return photo;
}

/** Stores changes. session: the store, see session.js. */
export class Keep {
  #written = new Map(); // by photo: the last written record, to skip unchanged ones

  constructor({ session, photos }) {
    Object.assign(this, { session, photos });
    photos.addEventListener("change", ({ detail: { photo } }) => this.#save(photo ? [photo] : photos.all));
  }

  /** Load the work of an earlier visit of this tab: { page, photos }. */
  async restore() {
    const { page, photos } = await this.session.load();
    return { page: page ?? {}, photos: photos.filter(({ file }) => file).map(photoOf) };
  }

  savePage(state) {
    this.session.savePage(state);
  }

  clear() {
    this.#written.clear();
    return this.session.clear();
  }

  #save(photos) {
    for (const [photo] of this.#written) {
      if (this.photos.all.includes(photo)) continue;
      this.session.removePhoto(photo.id);
      this.#written.delete(photo);
    }
    for (const photo of photos) {
      const order = this.photos.all.indexOf(photo);
      if (order < 0) continue;
      const { own, given, lookedAt, saved, size, shown, results, strokes, remote } = photo;
      const news = [order, JSON.stringify([own, given, lookedAt, saved, size, shown, remote?.id]), own.picture, strokes.key, results];
      if (this.#written.get(photo)?.every((value, index) => value === news[index])) continue;
      this.#written.set(photo, news);
      this.session.savePhoto(photo.id, { order, ...recordOf(photo) });
    }
  }
}
