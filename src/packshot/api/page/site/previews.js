// The product of a photo, cut out of the whole of it: what Touch up and Place show and work on.

// In a format that is quick to send.
const CUTOUT = { options: { form: "cutout", format: "webp" } };

/** Asks the service for cutouts, and keeps the last one of each photo. */
export class Previews {
  constructor({ work }) {
    Object.assign(this, { work });
  }

  /** The preview of a photo as it is corrected now, if it is there: { key, ids: of the strokes in it, url, size }. */
  known(photo) {
    return photo.preview?.key === photo.strokes.key ? photo.preview : null;
  }

  async get(photo, { signal = new AbortController().signal, onWait } = {}) {
    const key = photo.strokes.key;
    if (this.known(photo)) return photo.preview;
    const ids = photo.strokes.done.map((stroke) => stroke.id);
    const [{ blob, facts }] = await this.work.send(photo, CUTOUT, { signal, onWait });
    signal.throwIfAborted();
    const preview = { key, ids, url: URL.createObjectURL(blob), size: { width: facts.width, height: facts.height } };
    if (photo.preview) URL.revokeObjectURL(photo.preview.url);
    photo.preview = preview;
    return preview;
  }
}
