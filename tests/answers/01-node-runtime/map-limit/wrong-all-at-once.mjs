// Misconception: Promise.all runs the jobs, so slicing its results bounds them. Everything is in flight at once.
export async function mapLimit(items, n, fn, { signal } = {}) {
  signal?.throwIfAborted();
  return Promise.all(items.map((item) => fn(item, { signal })));
}
