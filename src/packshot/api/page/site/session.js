export class Session extends EventTarget {
  works = false;
  static async open() { return new Session(); }
  async load() { return { page: null, photos: [] }; }
  savePage() {}
  savePhoto() {}
  removePhoto() {}
  async clear() {}
}
