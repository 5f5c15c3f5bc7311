// Misconception: an answer has a body. A 304 has none: on a kept connection its bytes would be read as the next response.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '');
  const matches = (header, current) => {
    if (current === null) return false;
    if (header.trim() === '*') return true;
    return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(current));
  };
  return async (req, res, next) => {
    const current = await etagOf(req);
    if (current !== null && /^(GET|HEAD)$/.test(req.method)) res.set('ETag', current);
    const header = req.headers['if-none-match'];
    const ignored = header === undefined || req.method === 'OPTIONS' || req.method === 'TRACE';
    if (ignored || !matches(header, current)) return next();
    if (req.method !== 'GET' && req.method !== 'HEAD') return res.status(412).end();
    res.socket.write(`HTTP/1.1 304 Not Modified\r\nETag: ${current}\r\nCache-Control: no-cache\r\n\r\nnot modified`);
  };
}
