// One queue of promises for all workers: the first result goes to the first job, whichever worker it came from.
import { Worker } from 'node:worker_threads';

export class WorkerPool {
  constructor(file, size) {
    Object.assign(this, { file, size, queue: [], promised: [], workers: new Set(), idle: [], closed: false });
    for (let i = 0; i < size; i++) this.hire();
  }

  hire() {
    const worker = new Worker(this.file);
    this.workers.add(worker);
    this.idle.push(worker);
    let failure;
    worker.on('message', (result) => {
      this.promised.shift()?.resolve(result);
      this.idle.push(worker);
      this.next();
    });
    worker.on('error', (error) => { failure = error; });
    worker.on('exit', (code) => {
      this.workers.delete(worker);
      this.idle = this.idle.filter((other) => other !== worker);
      if (this.closed) return;
      this.promised.shift()?.reject(failure ?? new Error(`exit code ${code}`));
      this.hire();
      this.next();
    });
  }

  next() {
    while (this.queue.length && this.idle.length) this.idle.pop().postMessage(this.queue.shift());
  }

  run(job) {
    if (this.closed) return Promise.reject(new Error('closed'));
    return new Promise((resolve, reject) => {
      this.promised.push({ resolve, reject });
      this.queue.push(job);
      this.next();
    });
  }

  async close() {
    this.closed = true;
    this.queue.length = 0;
    for (const { reject } of this.promised.splice(0)) reject(new Error('closed'));
    await Promise.all([...this.workers].map((worker) => worker.terminate()));
  }
}
