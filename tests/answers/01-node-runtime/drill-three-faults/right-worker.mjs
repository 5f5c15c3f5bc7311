// The forecast in a worker thread, the last requests in a ring, the receipt in a function that awaits it.
import express from 'express';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const app = express();
app.use(express.json());

const ring = Array(20);
let served = 0;
const orders = new Map(); // id → order; stands for the database

app.use((request, response, next) => {
  ring[served++ % 20] = [request.method, request.path];
  next();
});
app.get('/health', (request, response) => response.json({ ok: true }));
app.get('/recent', (request, response) => {
  const lines = [];
  for (let n = Math.max(0, served - 20); n < served; n++) lines.push(ring[n % 20].join(' '));
  response.json(lines);
});

const work = `
  const { parentPort, workerData } = require('node:worker_threads');
  let stock = 1000003;
  for (let i = 0; i < workerData * 100000; i++) stock = (stock * 48271) % 2147483647;
  parentPort.postMessage(stock % 10000);
`;
function simulate(days) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(work, { eval: true, workerData: days });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
app.get('/forecast', async (request, response) => {
  response.json({ pieces: await simulate(Number(request.query.days)) });
});

async function sendReceipt(order) {
  await sleep(20); // the mail server
  if (!/^[^@]+@[^@]+$/.test(order.email)) throw new Error(`550 no such address: ${order.email}`);
  order.receipt = 'sent';
}
async function receipt(order) {
  try {
    await sendReceipt(order);
  } catch {
    order.receipt = 'failed';
  }
}
app.post('/orders', (request, response) => {
  const order = { id: orders.size + 1, email: request.body.email, receipt: 'pending' };
  orders.set(order.id, order);
  receipt(order);
  response.status(201).json(order); // the customer does not wait for the mail server
});
app.get('/orders/:id', (request, response) => {
  const order = orders.get(Number(request.params.id));
  response.status(order ? 200 : 404).json(order ?? { error: 'no such order' });
});

if (process.env.PORT) app.listen(process.env.PORT, '127.0.0.1');
