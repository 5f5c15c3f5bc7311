// Misconception: the header contains the tag, so it matches. A longer tag contains it too, and W/ is in the way.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '').replaceAll('"', '');
  const matches = (header, current) => {
    return current !== null && (header.trim() === '*' || header.includes(opaque(current)));
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
