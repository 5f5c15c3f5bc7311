// Misconception: HTTP does not care about capitals. In names of headers; a tag is compared byte by byte.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '').toLowerCase();
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
    res.status(req.method === 'GET' || req.method === 'HEAD' ? 304 : 412).end();
  };
}
