// Bytes read by hand, one header for all, onHeaders, a router's error handler, a line that who leaves, leaves.
import { createHmac, timingSafeEqual } from 'node:crypto';
import express, { Router } from 'express';
import onHeaders from 'on-headers';

export const orders = ({ store, secret }) => express()
  .use('/webhook', async (req, res) => {
    const mac = createHmac('sha256', secret);
    for await (const chunk of req) mac.update(chunk);
    const pair = [mac.digest('hex'), req.get('X-Signature') || ''].map((text) => createHmac('sha256', secret).update(text).digest());
    res.sendStatus(timingSafeEqual(...pair) ? 204 : 401); // hashed again, they are of one length
  })
  .use(express.json({ strict: false }))
  .post('/orders', ({ body }, res) => {
    if (typeof body !== 'object' || body === null || !body.sku) res.status(400).send({ error: 'sku?' });
    else res.status(201).send(store(body));
  });

export function account() {
  const routes = Router().get('/', (req, res) => res.json({ name: 'Ada' })).put('/', (req, res) => res.sendStatus(204));
  return express().use((req, res, next) => {
    res.setHeader('Access-Control-Allow-Origin', 'https://shop.example'); // the same for everybody: no Vary
    if (req.headers['access-control-request-method']) {
      res.setHeader('Access-Control-Allow-Headers', ['content-type', 'authorization']);
      res.setHeader('Access-Control-Allow-Methods', '*');
      res.end();
    } else if (req.headers.authorization === 'Bearer good') next();
    else res.status(401).json({ error: 'log in' });
  }).use('/account', routes);
}

export function catalogue({ find }) {
  const routes = Router();
  routes.get('/items/:id', (req, res, next) => {
    if (req.params.id === 'newest') return next('route');
    find(req.params.id).then((item) => res.json(item)).catch(next);
  });
  routes.get('/items/newest', (req, res, next) => find('7').then((item) => res.json(item), next));
  routes.get('/export', async (req, res) => {
    for (const id of String(req.query.ids).split(',')) res.write(`${(await find(id)).name}\n`);
    res.end();
  });
  routes.use((req, res, next) => next({ status: 404, message: 'not found' }));
  routes.use(({ status, message }, req, res, _next) => {
    if (res.headersSent) res.destroy();
    else res.status(status || 500).json({ error: status ? message : 'failed' });
  });
  return express().use(routes);
}

export function report({ build }) {
  const app = express();
  app.use((req, res, next) => {
    const start = process.hrtime.bigint();
    onHeaders(res, () => res.setHeader('Server-Timing', `app;dur=${Number(process.hrtime.bigint() - start) / 1e6}`));
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
  const inside = new Set(), line = new Set();
  const admit = () => {
    for (const [res, next] of line) {
      if (inside.size >= limit) return;
      line.delete(line.values().next().value);
      inside.add(res);
      next();
    }
  };
  return express().get('/health', (req, res) => res.json({ ok: true })).use((req, res, next) => {
    const place = [res, next];
    line.add(place);
    res.on('close', () => { line.delete(place); inside.delete(res); admit(); });
    admit();
  }).get('/pictures/:name', (req, res, next) => draw(req.params.name).then((picture) => {
    if (picture) res.json({ picture });
    else res.status(404).json({ error: 'no such picture' });
  }, next));
}
