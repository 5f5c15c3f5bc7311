// Misconception: Promise.race against the abort stops the work. The lanes behind it go on.
export async function mapLimit(items, n, fn, { signal } = {}) {
  signal?.throwIfAborted();
  const results = new Array(items.length), next = items.entries();
  let failed = false;
  const lane = async () => {
    for (const [i, item] of next) {
      if (failed) return;
      try {
        results[i] = await fn(item, { signal });
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  let onAbort;
  const aborted = new Promise((_, reject) => { onAbort = () => reject(signal.reason); });
  signal?.addEventListener('abort', onAbort);
  try {
    await Promise.race([Promise.all(Array.from({ length: n }, lane)), aborted]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  return results;
}
