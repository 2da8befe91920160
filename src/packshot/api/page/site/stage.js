// The view of a picture: zoom and pan by wheel, fingers, pointer and keys.

const PADDING_PX = 20;
const LARGEST_FIT = 3;
const LARGEST_ZOOM = 16;
const STEP_PX = 60;

/**
 * `world` moves over `place`; a point of the picture is at x + scale * point.
 * tool: { start(point) -> whether it handles the pointer, move(point), end(), cancel() }; otherwise the pointer pans.
 * Points: { x, y } in the picture and { left, top } in the place.
 */
export class Stage extends EventTarget {
  scale = 1;
  x = 0;
  y = 0;
  size = { width: 1, height: 1 };
  tool = null;
  #fitted = true;
  #pointers = new Map();
  #held = null; // "tool", "pan" or "pinch"

  constructor(place, world) {
    super();
    Object.assign(this, { place, world });
    place.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    place.addEventListener("pointerdown", (event) => this.#down(event));
    place.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) place.addEventListener(name, (event) => this.#up(event));
    new ResizeObserver(() => (this.#fitted ? this.fit() : this.moveTo(this.x, this.y))).observe(place);
  }

  /** Show a picture of this size. keep: leave zoom and position unchanged if the size is the same. */
  show({ width, height }, keep = false) {
    const same = width === this.size.width && height === this.size.height;
    this.size = { width, height };
    this.world.style.width = `${width}px`;
    this.world.style.height = `${height}px`;
    if (!(same && keep)) this.fit();
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.place;
    const room = Math.min((width - 2 * PADDING_PX) / this.size.width, (height - 2 * PADDING_PX) / this.size.height);
    this.scale = Math.max(0.01, Math.min(room, LARGEST_FIT));
    this.moveTo((width - this.scale * this.size.width) / 2, (height - this.scale * this.size.height) / 2);
    this.#fitted = true;
  }

  /** One pixel of the picture on one pixel of the screen. */
  full() {
    this.zoom(1 / devicePixelRatio / this.scale);
  }

  zoom(factor, left = this.place.clientWidth / 2, top = this.place.clientHeight / 2) {
    const scale = Math.min(LARGEST_ZOOM, Math.max(0.02, this.scale * factor));
    const grown = scale / this.scale;
    this.scale = scale;
    this.moveTo(left - (left - this.x) * grown, top - (top - this.y) * grown);
  }

  pan(dx, dy) {
    this.moveTo(this.x + dx, this.y + dy);
  }

  /** Move the picture. Part of it always stays visible. */
  moveTo(x, y) {
    const kept = (at, length, room) => Math.min(room - PADDING_PX, Math.max(PADDING_PX - length, at));
    this.x = kept(x, this.scale * this.size.width, this.place.clientWidth);
    this.y = kept(y, this.scale * this.size.height, this.place.clientHeight);
    this.#fitted = false;
    this.world.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.world.classList.toggle("pixels", this.scale * devicePixelRatio >= 4);
    this.dispatchEvent(new Event("move"));
  }

  point(event) {
    const box = this.place.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    return { left, top, x: (left - this.x) / this.scale, y: (top - this.y) / this.scale };
  }

  /** Zoom and pan by keys. Returns whether the key was handled. */
  key(event) {
    const actions = {
      "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), 0: () => this.fit(), 1: () => this.full(),
      ArrowLeft: () => this.pan(STEP_PX, 0), ArrowRight: () => this.pan(-STEP_PX, 0),
      ArrowUp: () => this.pan(0, STEP_PX), ArrowDown: () => this.pan(0, -STEP_PX),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return false;
    actions[event.key]();
    return true;
  }

  #wheel(event) {
    event.preventDefault();
    const { left, top } = this.point(event);
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), left, top);
  }

  #down(event) {
    if (event.target.closest("button, a, input")) return;
    this.place.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.point(event));
    if (this.#pointers.size === 2) {
      if (this.#held === "tool") this.tool.cancel();
      this.#held = "pinch";
    } else if (this.#pointers.size === 1) {
      this.#held = event.button === 0 && this.tool?.start(this.point(event)) ? "tool" : "pan";
    }
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    const point = this.point(event);
    if (!before) return;
    if (this.#held === "tool") for (const each of event.getCoalescedEvents?.() ?? [event]) this.tool.move(this.point(each));
    if (this.#held === "pan") this.pan(point.left - before.left, point.top - before.top);
    if (this.#held === "pinch") this.#pinch(event.pointerId, before, point);
    this.#pointers.set(event.pointerId, this.point(event));
  }

  #pinch(id, before, point) {
    const other = [...this.#pointers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const apart = (one) => Math.max(1, Math.hypot(one.left - other.left, one.top - other.top));
    this.zoom(apart(point) / apart(before), (point.left + other.left) / 2, (point.top + other.top) / 2);
    this.pan((point.left - before.left) / 2, (point.top - before.top) / 2);
  }

  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#held === "tool") this.tool.end();
    if (!this.#pointers.size) this.#held = null;
    else if (this.#held === "tool") this.#held = "pan";
  }
}
