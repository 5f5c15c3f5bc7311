// Misconception: a 304 starts from nothing. What earlier layers set (Cache-Control, Vary) belongs to it.
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
    for (const name of res.getHeaderNames()) if (name !== 'etag') res.removeHeader(name);
    res.status(req.method === 'GET' || req.method === 'HEAD' ? 304 : 412).end();
  };
}
