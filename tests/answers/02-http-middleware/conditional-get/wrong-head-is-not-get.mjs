// Misconception: only GET is answered 304. HEAD is GET without the body, and so are its conditions.
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
    res.status(req.method === 'GET' ? 304 : 412).end();
  };
}
