// Misconception: Promise.all over lanes stops the other lanes when one fails. They go on starting jobs.
export async function mapLimit(items, n, fn, { signal } = {}) {
  const results = new Array(items.length), next = items.entries();
  const lane = async () => {
    for (const [i, item] of next) {
      signal?.throwIfAborted();
      results[i] = await fn(item, { signal });
    }
  };
  await Promise.all(Array.from({ length: n }, lane));
  return results;
}
