// The loop is a power of 48271: twenty multiplications instead of millions. Nothing is left to wait for.
import express from 'express';
import { setTimeout as sleep } from 'node:timers/promises';

const app = express();
app.use(express.json());

let recent = []; // the last 20 requests, no more
const orders = new Map(); // id → order; stands for the database

app.use((request, response, next) => {
  recent = [...recent.slice(-19), `${request.method} ${request.path}`];
  next();
});
app.get('/health', (request, response) => response.json({ ok: true }));
app.get('/recent', (request, response) => response.json(recent));

function simulate(days) {
  const modulus = 2147483647n;
  let power = 48271n;
  let stock = 1000003n;
  for (let times = BigInt(Math.ceil(days * 100_000)); times > 0n; times >>= 1n) {
    if (times & 1n) stock = (stock * power) % modulus;
    power = (power * power) % modulus;
  }
  return Number(stock % 10_000n);
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
