// The cutout of a whole photo, which Touch up and Place show and edit.

// WebP, because it is quick to send.
const CUTOUT = { options: { form: "cutout", format: "webp" } };

/** Requests cutouts from the service, and keeps the latest one of each photo. */
export class Previews {
  constructor({ work }) {
    Object.assign(this, { work });
  }

  /** The preview of a photo with its current corrections, if available: { key, ids: of the strokes in it, url, size }. */
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
