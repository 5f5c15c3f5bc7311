// A timer of its own that is cleared, a line of those who wait for the same key, and no async function.
import express from 'express';

export function checkout({ pay, store, patience }) {
  const seen = new Map(); // key → what is known of its order
  const app = express().use(express.json());
  app.post('/orders', (req, res, next) => {
    const { sku, amount } = req.body || {};
    const key = req.headers['idempotency-key'] || Symbol('none');
    if (typeof amount !== 'number' || amount === Infinity || !(amount > 0)) {
      return void res.status(400).json({ error: 'amount?' });
    }
    const print = JSON.stringify([sku, amount]);
    const mine = seen.get(key) ?? { print, waiting: [] };
    if (mine.print !== print) return void res.status(422).json({ error: 'this key was used for another order' });
    if (mine.said) return void mine.said(res);
    if (mine.waiting.push([res, next]) > 1) return; // somebody is asking the bank already
    if (typeof key === 'string') seen.set(key, mine);

    const tell = (status, body, keep) => {
      const say = (to) => to.status(status).json(body);
      if (keep) mine.said = say;
      mine.waiting.splice(0).forEach(([to]) => say(to));
    };
    const stored = () => {
      try {
        store({ sku, amount, receipt: mine.receipt });
      } catch (error) {
        return mine.waiting.splice(0).forEach(([, fail]) => fail(error));
      }
      tell(201, { receipt: mine.receipt }, true);
    };
    if (mine.paid) return stored();
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Error('late')), patience);
    pay({ sku, amount }, controller.signal).finally(() => clearTimeout(timer)).then((receipt) => {
      Object.assign(mine, { paid: true, receipt });
      stored();
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
