// Each of `size` lanes is an async loop that takes the next job from one shared queue and keeps a worker of its own.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export class WorkerPool {
  #file;
  #jobs = [];
  #hungry = [];
  #closing = new AbortController();
  #lanes;

  constructor(file, size) {
    this.#file = file;
    this.#lanes = Array.from({ length: size }, () => this.#lane());
  }

  run(job) {
    const { promise, resolve, reject } = Promise.withResolvers();
    if (this.#closing.signal.aborted) reject(new Error('this pool takes no more jobs'));
    else if (this.#hungry.length) this.#hungry.shift()({ job, resolve, reject });
    else this.#jobs.push({ job, resolve, reject });
    return promise;
  }

  async close() {
    this.#closing.abort();
    for (const { reject } of this.#jobs.splice(0)) reject(new Error('this pool has ended'));
    for (const feed of this.#hungry.splice(0)) feed(null);
    await Promise.all(this.#lanes);
  }

  async #lane() {
    const { signal } = this.#closing;
    let worker = null;
    while (!signal.aborted) {
      const task = this.#jobs.shift() ?? (await new Promise((feed) => this.#hungry.push(feed)));
      if (!task) break;
      worker = worker?.ended ? null : worker;
      worker ??= this.#employ();
      await this.#answer(worker, task);
    }
    if (worker) await worker.thread.terminate();
  }

  #employ() {
    const employed = { thread: new Worker(this.#file), ended: false, failure: null };
    employed.thread.on('error', (error) => { employed.failure = error; });
    employed.exit = once(employed.thread, 'exit').catch(() => [1]).then(async ([code]) => {
      if (employed.failure) await employed.thread.terminate();
      employed.ended = true;
      return code;
    });
    return employed;
  }

  async #answer(worker, { job, resolve, reject }) {
    const over = new AbortController();
    const { signal } = this.#closing;
    const stopped = new Promise((_, stop) => signal.addEventListener('abort', () => stop(new Error('this pool has ended')), {
      once: true, signal: over.signal,
    }));
    const crashed = worker.exit.then((code) => { throw worker.failure ?? new Error(`exited with ${code}`); });
    const message = new Promise((arrived) => worker.thread.once('message', (value) => arrived({ value })));
    worker.thread.postMessage(job);
    try {
      resolve((await Promise.race([message, crashed, stopped])).value);
    } catch (error) {
      reject(error);
    } finally {
      over.abort();
      crashed.catch(() => {});
    }
  }
}
