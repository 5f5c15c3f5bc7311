// "req.pipe(file)": nobody hears of an error, of the disk or of the client.
import { createHash, randomUUID } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createWriteStream } from 'node:fs';

const TYPES = {
  'image/png': Buffer.from('89504e470d0a1a0a', 'hex'),
  'image/jpeg': Buffer.from('ffd8ff', 'hex'),
  'application/pdf': Buffer.from('%PDF-'),
};

export function receiveUpload({ folder, limit }) {
  const kindOf = (head) => Object.keys(TYPES).find((type) => head.subarray(0, TYPES[type].length).equals(TYPES[type]));

  return (req, res) => {
    const name = randomUUID(), part = join(folder, `${name}.part`), hash = createHash('sha256');
    const file = createWriteStream(part);
    let bytes = 0, head = Buffer.alloc(0), refused = 0;
    const refuse = (status) => {
      refused = status;
      req.unpipe(file);
      file.destroy();
      file.once('close', () => rm(part, { force: true }).then(() => res.set('Connection', 'close').sendStatus(status)));
    };
    if (Number(req.headers['content-length']) > limit) return refuse(413);
    req.on('data', (chunk) => {
      if (refused) return;
      bytes += chunk.length;
      hash.update(chunk);
      head = head.length < 8 ? Buffer.concat([head, chunk.subarray(0, 8)]) : head;
      if (bytes > limit) refuse(413);
      else if (!kindOf(head) && head.length >= 8) refuse(415);
    });
    req.on('end', () => refused || kindOf(head) || refuse(415));
    file.on('finish', async () => {
      await rename(part, join(folder, name));
      res.status(201).json({ name, type: kindOf(head), bytes, sha256: hash.digest('hex') });
    });
    req.pipe(file);
  };
}
