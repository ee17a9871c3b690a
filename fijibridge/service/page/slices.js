// Slices as they are asked for: of those asked for while one is on its way, only the last is fetched.

const KEPT = 64;
const KEPT_PIXELS = 48e6;

export function makeLoader(fetchSlice) {
  const kept = new Map();
  const wanted = new Map();
  const gone = new AbortController();

  async function picture({ of, axis, index }) {
    const key = `${of} ${axis} ${index}`;
    let found = kept.get(key);
    if (!found) found = await createImageBitmap(await fetchSlice(of, axis, index, gone.signal));
    kept.delete(key);
    kept.set(key, found); // the last used stand last
    let pixels = 0;
    for (const each of kept.values()) pixels += each.width * each.height;
    while (kept.size > 1 && (kept.size > KEPT || pixels > KEPT_PIXELS)) {
      const [oldest, bitmap] = kept.entries().next().value;
      pixels -= bitmap.width * bitmap.height;
      kept.delete(oldest);
    }
    return found;
  }

  async function show(canvas, slice) {
    const isBusy = wanted.has(canvas);
    wanted.set(canvas, slice);
    if (isBusy) return;
    try {
      for (let next = slice; next; next = wanted.get(canvas) === next ? null : wanted.get(canvas)) {
        draw(canvas, await picture(next), next);
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      wanted.delete(canvas);
    }
  }

  return { show, close: () => { gone.abort(); kept.clear(); } };
}

/** Draw one slice; a yz plane comes with z down and is turned, so that it lines up with xy. */
function draw(canvas, bitmap, { index, turned }) {
  canvas.width = turned ? bitmap.height : bitmap.width;
  canvas.height = turned ? bitmap.width : bitmap.height;
  const pen = canvas.getContext("2d");
  if (turned) pen.setTransform(0, 1, 1, 0, 0, 0);
  pen.drawImage(bitmap, 0, 0);
  canvas.dataset.index = index;
}
