// "The parser has a limit, so the body can be had whole."
import { createHash, randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { raw } from 'express';

const TYPES = {
  'image/png': Buffer.from('89504e470d0a1a0a', 'hex'),
  'image/jpeg': Buffer.from('ffd8ff', 'hex'),
  'application/pdf': Buffer.from('%PDF-'),
};

export function receiveUpload({ folder, limit }) {
  const kindOf = (head) => Object.keys(TYPES).find((type) => head.subarray(0, TYPES[type].length).equals(TYPES[type]));

  return (req, res, next) => {
    raw({ type: () => true, limit })(req, res, async (error) => {
      const refuse = (status) => res.set('Connection', 'close').sendStatus(status);
      if (error) return error.status === 413 ? refuse(413) : next(error);
      const body = req.body ?? Buffer.alloc(0), type = kindOf(body), name = randomUUID();
      if (!type) return refuse(415);
      try {
        await writeFile(join(folder, `${name}.part`), body);
        await rename(join(folder, `${name}.part`), join(folder, name));
      } catch (failed) {
        return next(failed);
      }
      const sha256 = createHash('sha256').update(body).digest('hex');
      res.status(201).json({ name, type, bytes: body.length, sha256 });
    });
  };
}
