// "The cache leaks, so the cache goes." Every request loads now.
export function createQuotes({ load, feed, limit = 1000, patience = 30_000 }) {
  const kept = new Map(); // sku → promise of its quote, the least recently asked for first
  feed.on('price', (sku) => kept.delete(sku)); // one listener, however many requests

  function keep(sku) {
    return load(sku);
  }
  return async function quote(sku) {
    const loading = keep(sku);
    loading.catch(() => { if (kept.get(sku) === loading) kept.delete(sku); });
    let timer;
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no quote for ${sku} within ${patience} ms`)), patience);
    });
    try {
      return await Promise.race([loading, late]);
    } finally {
      clearTimeout(timer); // else it holds `late` and the request for as long as it runs
    }
  };
}
