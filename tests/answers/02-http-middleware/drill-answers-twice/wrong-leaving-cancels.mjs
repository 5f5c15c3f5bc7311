// "Who has left wants nothing any more." The customer only clicked again.
import express from 'express';

export function checkout({ pay, store, patience }) {
  const app = express(), kept = new Map(); // Idempotency-Key → a promise of the answer
  app.use(express.json());

  async function place(order, res) { // decides what the answer is; the one who answers is below
    if (!(order.amount > 0)) return { status: 400, body: { error: 'amount?' } };
    const signal = AbortSignal.any([AbortSignal.timeout(patience), left(res)]);
    let receipt;
    try {
      receipt = await pay(order, signal);
    } catch (error) { // of the bank, and of nobody else
      if (signal.aborted) return { status: 504, body: { error: 'the bank is slow' } };
      return { status: 402, body: { error: error.message } };
    }
    store({ ...order, receipt });
    return { status: 201, body: { receipt } };
  }

  function left(res) {
    const controller = new AbortController();
    res.on('close', () => controller.abort());
    return controller.signal;
  }

  function once(key, order, res) {
    if (!key) return place(order, res);
    if (!kept.has(key)) {
      const answer = place(order, res);
      kept.set(key, answer); // before it is known: the second click comes now
      const forget = () => kept.delete(key);
      answer.then(({ status }) => { if (status !== 201 && status !== 402) forget(); }, forget);
    }
    return kept.get(key);
  }

  app.post('/orders', async (req, res) => {
    const { sku, amount } = req.body ?? {};
    const { status, body } = await once(req.get('Idempotency-Key'), { sku, amount }, res);
    res.status(status).json(body);
  });
  app.use((error, req, res, next) => {
    console.error(error.message);
    if (res.headersSent) return next(error);
    res.status(error.status ?? 500).json({ error: 'failed' });
  });
  return app;
}
