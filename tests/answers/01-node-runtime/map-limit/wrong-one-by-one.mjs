// Misconception: "at most n" is met by one after the other.
export async function mapLimit(items, n, fn, { signal } = {}) {
  const results = [];
  for (const item of items) {
    signal?.throwIfAborted();
    results.push(await fn(item, { signal }));
  }
  return results;
}
