// Written with a set of running promises and Promise.race, and a signal of its own made with AbortSignal.any.
export async function mapLimit(items, n, fn, options) {
  const signal = options?.signal ?? new AbortController().signal;
  const own = AbortSignal.any([signal]);
  if (own.aborted) throw signal.reason;
  const results = [], running = new Set();
  let wake;
  const aborted = new Promise((_, reject) => { wake = () => reject(signal.reason); });
  aborted.catch(() => {});
  own.addEventListener('abort', wake);
  let failed = false;
  try {
    for (let i = 0; i < items.length; i++) {
      const job = (async () => { results[i] = await fn(items[i], { signal: own }); })();
      const watched = job.then(() => running.delete(watched), (error) => { failed = true; throw error; });
      running.add(watched);
      if (running.size >= n) await Promise.race([...running, aborted]);
      if (failed || own.aborted) break;
    }
    await Promise.race([Promise.all(running), aborted]);
    return results;
  } finally {
    own.removeEventListener('abort', wake);
    for (const job of running) job.catch(() => {});
  }
}
