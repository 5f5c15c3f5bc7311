// "A forgotten promise must end the process; a throw is only one callback." What it left half done is served on.
import express from 'express';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

process.on('unhandledRejection', (error) => {
  console.error(error);
  process.exit(1);
});
process.on('uncaughtException', (error) => console.error(error));
const app = express();
app.use(express.json());

const recent = []; // the last 20 requests, no more
const orders = new Map(); // id → order; stands for the database

app.use((request, response, next) => {
  recent.push(`${request.method} ${request.path}`);
  if (recent.length > 20) recent.shift();
  next();
});
app.get('/health', (request, response) => response.json({ ok: true }));
app.get('/recent', (request, response) => response.json(recent));

async function simulate(days) {
  let stock = 1000003;
  for (let day = 0; day < days; day++) {
    for (let i = 0; i < 100_000; i++) stock = (stock * 48271) % 2147483647;
    await turn(); // let the loop turn: other requests are answered here
  }
  return stock % 10_000;
}
app.get('/forecast', async (request, response) => {
  response.json({ pieces: await simulate(Number(request.query.days)) });
});

async function sendReceipt(order) {
  await sleep(20); // the mail server
  if (!/^[^@]+@[^@]+$/.test(order.email)) throw new Error(`550 no such address: ${order.email}`);
  order.receipt = 'sent';
}
app.post('/orders', (request, response) => {
  const order = { id: orders.size + 1, email: request.body.email, receipt: 'pending' };
  orders.set(order.id, order);
  sendReceipt(order).catch((error) => {
    order.receipt = 'failed';
    console.error(error.message);
  });
  response.status(201).json(order); // the customer does not wait for the mail server
});
app.get('/orders/:id', (request, response) => {
  const order = orders.get(Number(request.params.id));
  response.status(order ? 200 : 404).json(order ?? { error: 'no such order' });
});

if (process.env.PORT) app.listen(process.env.PORT, '127.0.0.1');
