// Jobs are numbered, an EventEmitter of the pool's own tells when a worker is free, and workers are hired when needed.
import { EventEmitter, once } from 'node:events';
import { Worker } from 'node:worker_threads';

export class WorkerPool extends EventEmitter {
  constructor(file, size) {
    super();
    this.setMaxListeners(0);
    this.makeWorker = () => new Worker(file);
    this.size = size;
    this.count = 0;
    this.pending = new Map(); // number → { job, resolve, reject, worker }
    this.free = new Set();
    this.live = new Set();
    this.over = false;
    this.on('free', () => this.hand());
  }

  async run(job) {
    if (this.over) throw new Error('closed');
    const number = this.count++;
    const answer = new Promise((resolve, reject) => this.pending.set(number, { job, resolve, reject, worker: null }));
    this.emit('free');
    try {
      return await answer;
    } finally {
      this.pending.delete(number);
    }
  }

  hand() {
    if (this.over) return;
    for (const task of [...this.pending.values()].filter((one) => !one.worker && !one.settled)) {
      if (!this.free.size && this.live.size < this.size) this.enlist();
      const [worker] = this.free;
      if (!worker) return;
      this.free.delete(worker);
      task.worker = worker;
      worker.postMessage(task.job);
    }
  }

  enlist() {
    const worker = this.makeWorker();
    const mine = () => [...this.pending.values()].find((task) => task.worker === worker && !task.settled);
    const settle = (how, value) => {
      const task = mine();
      if (!task) return;
      task.settled = true;
      task[how](value);
    };
    worker.on('message', (value) => {
      settle('resolve', value);
      this.free.add(worker);
      this.emit('free');
    });
    worker.on('error', (error) => settle('reject', error));
    worker.on('exit', (code) => {
      settle('reject', new Error(`worker exited, code ${code}`));
      this.live.delete(worker);
      this.free.delete(worker);
      this.emit('free');
    });
    this.live.add(worker);
    this.free.add(worker);
  }

  async close() {
    this.over = true;
    for (const task of this.pending.values()) if (!task.settled) task.reject(new Error('closed'));
    await Promise.all([...this.live].map(async (worker) => {
      const gone = once(worker, 'exit').catch(() => {});
      worker.terminate();
      await gone;
    }));
  }
}
