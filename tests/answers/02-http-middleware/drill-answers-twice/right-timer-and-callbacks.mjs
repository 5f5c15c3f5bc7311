// A timer of its own that is cleared, a line of those who wait for the same key, and no async function.
import express from 'express';

export function checkout({ pay, store, patience }) {
  const done = new Map(), waiting = new Map();
  const app = express().use(express.json());
  app.post('/orders', (req, res, next) => {
    const order = { sku: req.body?.sku, amount: req.body?.amount };
    const key = req.headers['idempotency-key'] || Symbol('none');
    if (!(order.amount > 0)) return void res.status(400).json({ error: 'amount?' });
    if (done.has(key)) return void done.get(key)(res);
    if (waiting.has(key)) return void waiting.get(key).push([res, next]);
    waiting.set(key, [[res, next]]);

    const tell = (status, body, keep) => {
      const say = (to) => to.status(status).json(body);
      if (keep && typeof key === 'string') done.set(key, say);
      leave().forEach(([to]) => say(to));
    };
    const leave = () => {
      const all = waiting.get(key);
      waiting.delete(key);
      return all;
    };
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Error('late')), patience);
    pay(order, controller.signal).finally(() => clearTimeout(timer)).then((receipt) => {
      try {
        store({ ...order, receipt });
      } catch (error) {
        return leave().forEach(([, fail]) => fail(error));
      }
      tell(201, { receipt }, true);
    }, (error) => {
      if (controller.signal.aborted) tell(504, { error: 'the bank is slow' }, false);
      else tell(402, { error: error.message }, true);
    });
  });
  app.use((error, req, res, next) => {
    if (res.headersSent) next(error);
    else res.status(error.status || 500).json({ error: 'failed' });
  });
  return app;
}
