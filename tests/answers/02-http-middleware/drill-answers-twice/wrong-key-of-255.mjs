// "A key is a VARCHAR(255)." What is longer is cut, without a word, and two are one.
import { isDeepStrictEqual } from 'node:util';
import express from 'express';

export function checkout({ pay, store, patience }) {
  const app = express(), kept = new Map(); // Idempotency-Key → { order, receipt (when paid), answer (a promise) }
  app.use(express.json());

  async function place(entry) { // decides what the answer is; the one who answers is below
    const { order } = entry, signal = AbortSignal.timeout(patience);
    try {
      entry.receipt ??= await pay(order, signal); // what is paid stays paid
    } catch (error) { // of the bank, and of nobody else
      if (signal.aborted) return { status: 504, body: { error: 'the bank is slow' } };
      return { status: 402, body: { error: error.message } };
    }
    store({ ...order, receipt: entry.receipt });
    return { status: 201, body: { receipt: entry.receipt } };
  }

  function once(key, order) {
    if (!(Number.isFinite(order.amount) && order.amount > 0)) return { status: 400, body: { error: 'amount?' } };
    if (!key) return place({ order });
    if (!kept.has(key)) kept.set(key, { order });
    const entry = kept.get(key);
    if (!isDeepStrictEqual(entry.order, order)) return { status: 422, body: { error: 'the key of another order' } };
    if (!entry.answer) {
      entry.answer = place(entry); // there before it is known: the second click comes now
      const again = () => { entry.answer = undefined; }; // only the answer is forgotten, not the receipt
      entry.answer.then(({ status }) => { if (status !== 201 && status !== 402) again(); }, again);
    }
    return entry.answer;
  }

  app.post('/orders', async (req, res) => {
    const { sku, amount } = req.body ?? {};
    const { status, body } = await once(req.get('Idempotency-Key')?.slice(0, 255), { sku, amount });
    res.status(status).json(body);
  });
  app.use((error, req, res, next) => {
    console.error(error.message);
    if (res.headersSent) return next(error);
    res.status(error.status ?? 500).json({ error: 'failed' });
  });
  return app;
}
