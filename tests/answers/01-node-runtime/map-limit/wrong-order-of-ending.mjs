// Misconception: push keeps the order. It is the order in which the jobs end.
export async function mapLimit(items, n, fn, { signal } = {}) {
  const results = [], queue = [...items];
  const lane = async () => {
    while (queue.length) {
      signal?.throwIfAborted();
      results.push(await fn(queue.shift(), { signal }));
    }
  };
  await Promise.all(Array.from({ length: n }, lane));
  return results;
}
