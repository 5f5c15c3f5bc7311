// Misconception: a failed item can be null in the results, so that "the rest goes through".
export async function mapLimit(items, n, fn, { signal } = {}) {
  const results = new Array(items.length), next = items.entries();
  const lane = async () => {
    for (const [i, item] of next) {
      if (signal?.aborted) throw signal.reason;
      results[i] = await Promise.resolve().then(() => fn(item, { signal })).catch(() => null);
    }
  };
  await Promise.all(Array.from({ length: n }, lane));
  return results;
}
