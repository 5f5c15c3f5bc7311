// A pipeline in whose middle the checks stand.
import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const TYPES = {
  'image/png': Buffer.from('89504e470d0a1a0a', 'hex'),
  'image/jpeg': Buffer.from('ffd8ff', 'hex'),
  'application/pdf': Buffer.from('%PDF-'),
};

export function receiveUpload({ folder, limit }) {
  const kindOf = (head) => Object.keys(TYPES).find((type) => head.subarray(0, TYPES[type].length).equals(TYPES[type]));

  return async (req, res) => {
    const refused = (status) => Object.assign(new Error('refused'), { refused: status });
    const name = randomUUID(), part = join(folder, `${name}.part`), hash = createHash('sha256');
    let bytes = 0, head = Buffer.alloc(0), type;
    async function* checked(body) {
      for await (const chunk of body) {
        bytes += chunk.length;
        if (bytes > limit) throw refused(413);
        if (!type) {
          head = Buffer.concat([head, chunk.subarray(0, 8)]);
          type = kindOf(head);
          if (!type && head.length >= 8) throw refused(415);
        }
        hash.update(chunk);
        yield chunk;
      }
      if (!type) throw refused(415);
    }
    try {
      if (Number(req.headers['content-length']) > limit) throw refused(413);
      const file = await open(part, 'wx');
      await pipeline(req, checked, file.createWriteStream());
      await rename(part, join(folder, name));
      res.status(201).json({ name, type, bytes, sha256: hash.digest('hex') });
    } catch (error) {
      await rm(part, { force: true });
      if (error.refused) return res.set('Connection', 'close').sendStatus(error.refused);
      if (!res.destroyed) throw error;
    }
  };
}
