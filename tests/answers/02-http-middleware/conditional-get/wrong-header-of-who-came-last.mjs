// Misconception: what is set before an await is there after it. Another request has come meanwhile.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '');
  const matches = (header, current) => {
    if (current === null) return false;
    if (header.trim() === '*') return true;
    return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(current));
  };
  let header;
  return async (req, res, next) => {
    header = req.headers['if-none-match'];
    const current = await etagOf(req);
    const reads = req.method === 'GET' || req.method === 'HEAD';
    if (reads && current !== null) res.set('ETag', current);
    const ignored = header === undefined || req.method === 'OPTIONS' || req.method === 'TRACE';
    if (ignored || !matches(header, current)) return next();
    res.status(reads ? 304 : 412).end();
  };
}
