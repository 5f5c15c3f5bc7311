// Misconception: * always matches. It matches what exists: PUT with If-None-Match: * is how one creates, once.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '');
  const matches = (header, current) => {
    if (header.trim() === '*') return true;
    if (current === null) return false;
    return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(current));
  };
  return async (req, res, next) => {
    const current = await etagOf(req);
    if (current !== null && /^(GET|HEAD)$/.test(req.method)) res.set('ETag', current);
    const header = req.headers['if-none-match'];
    const ignored = header === undefined || req.method === 'OPTIONS' || req.method === 'TRACE';
    if (ignored || !matches(header, current)) return next();
    res.status(req.method === 'GET' || req.method === 'HEAD' ? 304 : 412).end();
  };
}
