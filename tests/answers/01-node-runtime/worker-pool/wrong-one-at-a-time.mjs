// Each job waits for the one before: bounded and matched, but the second core never has work.
import { Worker } from 'node:worker_threads';

export class WorkerPool {
  constructor(file) {
    this.file = file;
    this.last = Promise.resolve();
    this.stop = () => {};
    this.closed = false;
  }

  run(job) {
    const mine = this.last.then(() => this.once(job));
    this.last = mine.catch(() => {});
    return mine;
  }

  once(job) {
    if (this.closed) throw new Error('closed');
    this.worker ??= new Worker(this.file).on('error', () => {}).on('exit', () => { this.worker = undefined; });
    const worker = this.worker;
    return new Promise((resolve, reject) => {
      const settle = (how) => (value) => {
        worker.off('message', done).off('error', reject).off('exit', ended);
        how(value);
      };
      const done = settle(resolve);
      const ended = (code) => reject(new Error(`exit code ${code}`));
      worker.on('message', done).on('error', reject).on('exit', ended);
      this.stop = () => reject(new Error('closed'));
      worker.postMessage(job);
    });
  }

  async close() {
    this.closed = true;
    this.stop();
    await this.worker?.terminate();
  }
}
