// Small pictures for the list, drawn once each. A hundred full-size pictures would fill a phone's memory.

const WIDTH_PX = 480;
const AT_ONCE = 2;
const waiting = [];
let drawing = 0;

/** Draw a picture file into a canvas with the picture's aspect. Resolves to false if the browser cannot read it. */
export function draw(canvas, blob) {
  return new Promise((resolve) => {
    waiting.push(() => drawn(canvas, blob).then(resolve, () => resolve(false)));
    next();
  });
}

function next() {
  if (drawing >= AT_ONCE || !waiting.length) return;
  drawing += 1;
  waiting.shift()().finally(() => { drawing -= 1; next(); });
}

async function drawn(canvas, blob) {
  const bitmap = await createImageBitmap(blob, { resizeWidth: WIDTH_PX, resizeQuality: "high" });
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return true;
}
