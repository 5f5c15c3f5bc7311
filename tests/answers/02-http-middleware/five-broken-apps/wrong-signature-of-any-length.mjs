// "timingSafeEqual compares." Only what is of one length: else it throws, and the answer is a 500.
import { createHmac, timingSafeEqual } from 'node:crypto';
import express from 'express';

export function orders({ store, secret }) {
  const app = express();
  app.post('/webhook', express.raw({ type: () => true }), (req, res) => {
    const mac = createHmac('sha256', secret).update(req.body ?? '').digest();
    const sent = req.get('X-Signature');
    if (!sent || !timingSafeEqual(Buffer.from(sent, 'hex'), mac)) return res.status(401).json({ error: 'signature' });
    res.status(204).end();
  });
  app.post('/orders', express.json(), (req, res) => { // the parser where its body is wanted, and nowhere else
    if (!req.body?.sku) return res.status(400).json({ error: 'sku?' });
    res.status(201).json(store(req.body));
  });
  return app;
}

export function account() {
  const app = express();
  app.use((req, res, next) => {
    res.vary('Origin');
    if (req.get('Origin') === 'https://shop.example') res.set('Access-Control-Allow-Origin', 'https://shop.example');
    if (req.method !== 'OPTIONS') return next();
    res.set('Access-Control-Allow-Methods', 'GET, PUT');
    res.set('Access-Control-Allow-Headers', 'Authorization, Content-Type'); // * does not stand for Authorization
    res.status(204).end();
  });
  app.use((req, res, next) => {
    if (req.get('Authorization') !== 'Bearer good') return res.status(401).json({ error: 'log in' });
    next();
  });
  app.get('/account', (req, res) => res.json({ name: 'Ada' }));
  app.put('/account', (req, res) => res.status(204).end());
  return app;
}

export function catalogue({ find }) {
  const app = express();
  app.get('/items/newest', async (req, res) => res.json(await find('7')));
  app.get('/items/:id', async (req, res) => res.json(await find(req.params.id)));
  app.get('/export', async (req, res) => {
    for (const id of String(req.query.ids).split(',')) res.write(`${(await find(id)).name}\n`);
    res.end();
  });
  app.use((req, res) => res.status(404).json({ error: 'not found' }));
  app.use((error, req, res, next) => {
    if (res.headersSent) return next(error); // Express cuts the connection
    res.status(error.status ?? 500).json({ error: error.status ? error.message : 'failed' });
  });
  return app;
}

export function report({ build }) {
  const app = express();
  app.use((req, res, next) => {
    const start = performance.now(), { writeHead } = res;
    res.writeHead = function (...said) { // called once, by whoever answers, just before the head leaves
      this.set('Server-Timing', `app;dur=${(performance.now() - start).toFixed(1)}`);
      return writeHead.apply(this, said);
    };
    next();
  });
  app.get('/report', async (req, res) => res.json({ text: await build() }));
  app.get('/quick', (req, res) => res.send('ok'));
  app.get('/stream', async (req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/csv' }).write('a,b\n');
    res.end(await build());
  });
  return app;
}

export function pictures({ draw, limit }) {
  const app = express(), waiting = [];
  let free = limit;
  const leave = () => { free++; waiting.shift()?.(); };
  app.get('/health', (req, res) => res.json({ ok: true }));
  app.use((req, res, next) => {
    const enter = () => {
      free--;
      if (res.destroyed) return leave(); // has left while waiting
      res.once('close', leave); // after the answer, or when the client leaves: once in either case
      next();
    };
    if (free > 0) enter(); else waiting.push(enter);
  });
  app.get('/pictures/:name', async (req, res) => {
    const picture = await draw(req.params.name);
    if (!picture) return res.status(404).json({ error: 'no such picture' });
    res.json({ picture });
  });
  return app;
}
