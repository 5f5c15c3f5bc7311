// Misconception: header values don't know upper and lower case. Tags are compared byte by byte.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '').toLowerCase();
  const matches = (header, current) => {
    if (current === null) return false;
    if (header.trim() === '*') return true;
    return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(current));
  };
  return async (req, res, next) => {
    const current = await etagOf(req);
    if (current !== null) res.set('ETag', current);
    const header = req.headers['if-none-match'];
    const unconditional = ['OPTIONS', 'TRACE'].includes(req.method);
    if (unconditional || header === undefined || !matches(header, current)) return next();
    res.status(req.method === 'GET' || req.method === 'HEAD' ? 304 : 412).end();
  };
}
