// "A module with one function exports it as default." Who imports { createQuotes }, as from leaky.mjs, gets nothing.
export default function createQuotes({ load, feed, limit = 1000, patience = 30_000 }) {
  const kept = new Map(); // sku → promise of its quote, the least recently asked for first
  feed.on('price', (sku) => kept.delete(sku)); // one listener, however many requests

  function keep(sku) {
    const loading = kept.get(sku) ?? load(sku);
    kept.delete(sku);
    kept.set(sku, loading);
    if (kept.size > limit) kept.delete(kept.keys().next().value);
    return loading;
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
