// Loads in flight and kept values apart, each use stamped with a counter, the timer ended by an AbortController.
import { setTimeout as sleep } from 'node:timers/promises';

class Quotes {
  #flying = new Map();
  #values = new Map(); // sku → { value, used }
  #clock = 0;

  constructor({ load, feed, limit = 1000, patience = 30_000 }) {
    Object.assign(this, { load, limit, patience });
    feed.on('price', (sku) => {
      this.#values.delete(sku);
      this.#flying.delete(sku);
    });
  }
  async #fetch(sku) {
    const mine = this.load(sku).then((value) => {
      if (this.#flying.get(sku) === mine) this.#store(sku, value);
      return value;
    }).finally(() => {
      if (this.#flying.get(sku) === mine) this.#flying.delete(sku);
    });
    this.#flying.set(sku, mine);
    return mine;
  }
  #store(sku, value) {
    if (this.#values.size >= this.limit) {
      const [[oldest]] = [...this.#values].sort(([, a], [, b]) => a.used - b.used);
      this.#values.delete(oldest);
    }
    this.#values.set(sku, { value, used: ++this.#clock });
  }
  async get(sku) {
    const hit = this.#values.get(sku);
    if (hit) {
      hit.used = ++this.#clock;
      return hit.value;
    }
    const over = new AbortController();
    const late = sleep(this.patience, null, { signal: over.signal }).then(() => {
      throw new Error(`no quote for ${sku} within ${this.patience} ms`);
    });
    late.catch(() => {}); // an aborted sleep is not an error
    try {
      return await Promise.race([this.#flying.get(sku) ?? this.#fetch(sku), late]);
    } finally {
      over.abort();
    }
  }
}
export const createQuotes = (options) => {
  const quotes = new Quotes(options);
  return (sku) => quotes.get(sku);
};
