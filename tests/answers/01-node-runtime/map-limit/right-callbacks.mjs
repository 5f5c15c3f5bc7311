// Written as a promise with counters, no lanes: each end starts the next.
export function mapLimit(items, n, fn, { signal } = {}) {
  return new Promise((resolve, reject) => {
    const results = new Array(items.length);
    let started = 0, ended = 0, over = false;
    const finish = (settle, value) => {
      if (over) return;
      over = true;
      signal?.removeEventListener('abort', onAbort);
      settle(value);
    };
    const onAbort = () => finish(reject, signal.reason);
    if (signal?.aborted) return finish(reject, signal.reason);
    if (items.length === 0) return finish(resolve, []);
    signal?.addEventListener('abort', onAbort, { once: true });
    const start = () => {
      if (over || started === items.length) return;
      const i = started++;
      new Promise((done) => done(fn(items[i], { signal }))).then((value) => {
        results[i] = value;
        if (++ended === items.length) finish(resolve, results);
        else start();
      }, (error) => finish(reject, error));
    };
    for (let i = 0; i < n; i++) start();
  });
}
