// Bounded, but a new worker for each job: the start-up is paid every time, so that it is a limit and no pool.
import { Worker } from 'node:worker_threads';

export class WorkerPool {
  constructor(file, size) {
    Object.assign(this, { file, size, queue: [], live: new Map(), closed: false });
  }

  run(job) {
    if (this.closed) return Promise.reject(new Error('closed'));
    return new Promise((resolve, reject) => {
      this.queue.push({ job, resolve, reject });
      this.next();
    });
  }

  next() {
    if (this.live.size >= this.size || !this.queue.length) return;
    const task = this.queue.shift();
    const worker = new Worker(this.file);
    this.live.set(worker, task);
    worker.on('message', (result) => {
      task.resolve(result);
      worker.terminate();
    });
    worker.on('error', task.reject);
    worker.on('exit', (code) => {
      task.reject(new Error(`exit code ${code}`));
      this.live.delete(worker);
      this.next();
    });
    worker.postMessage(task.job);
  }

  async close() {
    this.closed = true;
    for (const { reject } of [...this.queue.splice(0), ...this.live.values()]) reject(new Error('closed'));
    await Promise.all([...this.live.keys()].map((worker) => worker.terminate()));
  }
}
