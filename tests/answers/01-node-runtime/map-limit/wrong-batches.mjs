// Misconception: chunks of n are a bound of n. Each chunk waits for its slowest job while the other slots stand empty.
export async function mapLimit(items, n, fn, { signal } = {}) {
  const results = [];
  for (let i = 0; i < items.length; i += n) {
    signal?.throwIfAborted();
    results.push(...(await Promise.all(items.slice(i, i + n).map((item) => fn(item, { signal })))));
  }
  return results;
}
