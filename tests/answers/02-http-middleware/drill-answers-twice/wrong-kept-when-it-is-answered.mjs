// "The key is kept with the answer." The second click comes before there is one.
import express from 'express';

// pay(order, signal): a promise of the receipt; rejects if the bank declines, and, with nothing paid, if the signal is
//   aborted first
// store(order): keeps a paid order; throws if it can't
export function checkout({ pay, store, patience }) {
  const app = express(), kept = new Map(); // Idempotency-Key → what was answered
  app.use(express.json());
  app.use((req, res, next) => {
    const before = kept.get(req.get('Idempotency-Key'));
    if (before) return res.status(before.status).json(before.body);
    next();
  });
  app.post('/orders', async (req, res) => {
    const { sku, amount } = req.body ?? {};
    const answer = (status, body) => {
      const key = req.get('Idempotency-Key');
      if (key && (status === 201 || status === 402)) kept.set(key, { status, body });
      res.status(status).json(body);
    };
    if (!(amount > 0)) return answer(400, { error: 'amount?' });
    const signal = AbortSignal.timeout(patience);
    let receipt;
    try {
      receipt = await pay({ sku, amount }, signal);
    } catch (error) {
      return signal.aborted ? answer(504, { error: 'the bank is slow' }) : answer(402, { error: error.message });
    }
    store({ sku, amount, receipt });
    answer(201, { receipt });
  });
  app.use((error, req, res, next) => {
    console.error(error.message);
    res.status(error.status ?? 500).json({ error: 'failed' });
  });
  return app;
}
