// A worker for every job: results are matched, but a thousand jobs are a thousand workers.
import { Worker } from 'node:worker_threads';

export class WorkerPool {
  constructor(file, size) {
    this.file = file;
    this.size = size;
    this.workers = new Set();
    this.closed = false;
  }

  run(job) {
    if (this.closed) return Promise.reject(new Error('closed'));
    return new Promise((resolve, reject) => {
      const worker = new Worker(this.file);
      this.workers.add(worker);
      worker.once('message', (result) => {
        resolve(result);
        worker.terminate();
      });
      worker.once('error', reject);
      worker.once('exit', (code) => {
        this.workers.delete(worker);
        reject(new Error(`exit code ${code}`));
      });
      worker.postMessage(job);
    });
  }

  async close() {
    this.closed = true;
    await Promise.all([...this.workers].map((worker) => worker.terminate()));
  }
}
