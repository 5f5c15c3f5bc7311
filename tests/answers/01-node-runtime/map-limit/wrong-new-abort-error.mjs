// Misconception: an abort is always an AbortError. The caller's own reason is lost.
export function mapLimit(items, n, fn, { signal } = {}) {
  return new Promise((resolve, reject) => {
    const results = new Array(items.length);
    let next = 0, ended = 0, over = false;
    const finish = (settle, value) => {
      over = true;
      signal?.removeEventListener('abort', onAbort);
      settle(value);
    };
    const onAbort = () => finish(reject, new DOMException('aborted', 'AbortError'));
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort);
    const start = async () => {
      while (!over && next < items.length) {
        const i = next++;
        try {
          results[i] = await fn(items[i], { signal });
        } catch (error) {
          return finish(reject, error);
        }
        if (++ended === items.length) finish(resolve, results);
      }
    };
    if (!items.length) finish(resolve, []);
    for (let i = 0; i < n; i++) start();
  });
}
