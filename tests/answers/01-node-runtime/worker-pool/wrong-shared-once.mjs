// Round robin, and once('message') for each job: the next message of a worker goes to every job that waits for one.
import { Worker } from 'node:worker_threads';

export class WorkerPool {
  constructor(file, size) {
    this.workers = Array.from({ length: size }, () => new Worker(file));
    this.turn = 0;
  }

  run(job) {
    const worker = this.workers[this.turn++ % this.workers.length];
    return new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.postMessage(job);
    });
  }

  async close() {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
