// Small pictures of chosen files, made here, one after the other: a hundred photos are much to decode.
const SIDE = 44;
let last = Promise.resolve();

export function drawSoon(file, place) {
  last = last.then(() => (place.isConnected ? draw(file, place) : null)).catch(() => undefined);
}

async function draw(file, place) {
  const side = SIDE * Math.min(2, Math.ceil(devicePixelRatio));
  const whole = await createImageBitmap(file, { resizeWidth: side * 2, resizeQuality: "medium" });
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const cut = Math.min(whole.width, whole.height);
  const [x, y] = [(whole.width - cut) / 2, (whole.height - cut) / 2];
  canvas.getContext("2d").drawImage(whole, x, y, cut, cut, 0, 0, side, side);
  whole.close();
  place.replaceChildren(canvas);
}
