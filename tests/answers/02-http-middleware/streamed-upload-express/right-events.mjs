// With events, pause and resume instead of a loop.
import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const TYPES = {
  'image/png': Buffer.from('89504e470d0a1a0a', 'hex'),
  'image/jpeg': Buffer.from('ffd8ff', 'hex'),
  'application/pdf': Buffer.from('%PDF-'),
};

export function receiveUpload({ folder, limit }) {
  const kindOf = (head) => Object.keys(TYPES).find((type) => head.subarray(0, TYPES[type].length).equals(TYPES[type]));

  return (req, res, next) => {
    const name = randomUUID(), part = join(folder, `${name}.part`), hash = createHash('sha256');
    let bytes = 0, head = Buffer.alloc(0), file, over = false;
    const end = async (then) => {
      if (over) return;
      over = true;
      await file?.close();
      await rm(part, { force: true });
      then();
    };
    const refuse = (status) => end(() => res.set('Connection', 'close').sendStatus(status));
    const take = async (chunk) => {
      bytes += chunk.length;
      hash.update(chunk);
      if (head.length < 8) head = Buffer.concat([head, chunk.subarray(0, 8)]);
      if (bytes > limit) return refuse(413);
      if (head.length >= 8 && !kindOf(head)) return refuse(415);
      req.pause();
      await file.appendFile(chunk);
      req.resume();
    };
    if (Number(req.headers['content-length']) > limit) return refuse(413);
    req.pause();
    let last = open(part, 'wx').then((opened) => { file = opened; req.resume(); }).catch((error) => end(() => next(error)));
    req.on('data', (chunk) => {
      last = last.then(() => over || take(chunk)).catch((error) => end(() => next(error)));
    });
    req.on('end', () => {
      last = last.then(async () => {
        if (over) return;
        if (!kindOf(head)) return refuse(415);
        await rename(part, join(folder, name));
        await end(() => res.status(201).json({ name, type: kindOf(head), bytes, sha256: hash.digest('hex') }));
      });
    });
    req.on('error', () => { last = last.then(() => end(() => {})); });
  };
}
