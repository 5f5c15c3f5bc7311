// Misconception: { once: true } takes the listener away. Only if the signal is ever aborted.
export function mapLimit(items, n, fn, { signal } = {}) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const results = new Array(items.length);
    let started = 0, ended = 0, over = false;
    const fail = (error) => { over = true; reject(error); };
    signal?.addEventListener('abort', () => fail(signal.reason), { once: true });
    const start = () => {
      if (over || started === items.length) return;
      const i = started++;
      Promise.resolve().then(() => fn(items[i], { signal })).then((value) => {
        results[i] = value;
        if (++ended === items.length) resolve(results);
        else start();
      }, fail);
    };
    if (!items.length) resolve([]);
    for (let i = 0; i < n; i++) start();
  });
}
