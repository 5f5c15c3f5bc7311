// Misconception: looking at signal.aborted before each job is enough. The caller waits until some job ends.
export async function mapLimit(items, n, fn, { signal } = {}) {
  signal?.throwIfAborted();
  const results = new Array(items.length), next = items.entries();
  let failed = false;
  const lane = async () => {
    for (const [i, item] of next) {
      if (failed) return;
      signal?.throwIfAborted();
      try {
        results[i] = await fn(item, { signal });
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: n }, lane));
  signal?.throwIfAborted();
  return results;
}
