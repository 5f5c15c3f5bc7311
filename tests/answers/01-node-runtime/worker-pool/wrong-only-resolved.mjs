// The promise tells that the job is done, and forgets what came of it: it is fulfilled with undefined.
import { Worker } from 'node:worker_threads';

export class WorkerPool {
  constructor(file, size) {
    Object.assign(this, { file, size, queue: [], tasks: new Map(), closed: false });
    for (let i = 0; i < size; i++) this.hire();
  }

  hire() {
    const worker = new Worker(this.file);
    this.tasks.set(worker, null);
    let failure;
    worker.on('message', (result) => {
      this.tasks.get(worker)?.resolve();
      this.tasks.set(worker, null);
      this.next();
    });
    worker.on('error', (error) => { failure = error; });
    worker.on('exit', (code) => {
      const task = this.tasks.get(worker);
      this.tasks.delete(worker);
      if (this.closed) return;
      task?.reject(failure ?? new Error(`exit code ${code}`));
      this.hire();
      this.next();
    });
  }

  next() {
    for (const [worker, task] of this.tasks) {
      if (task || !this.queue.length) continue;
      const next = this.queue.shift();
      this.tasks.set(worker, next);
      worker.postMessage(next.job);
    }
  }

  run(job) {
    if (this.closed) return Promise.reject(new Error('closed'));
    return new Promise((resolve, reject) => {
      this.queue.push({ job, resolve, reject });
      this.next();
    });
  }

  async close() {
    this.closed = true;
    for (const task of [...this.queue.splice(0), ...this.tasks.values()]) task?.reject(new Error('closed'));
    await Promise.all([...this.tasks.keys()].map((worker) => worker.terminate()));
  }
}
