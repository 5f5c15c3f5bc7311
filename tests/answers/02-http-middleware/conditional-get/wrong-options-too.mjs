// Misconception: a condition holds for every method. OPTIONS and TRACE select no representation.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '');
  const matches = (header, current) => {
    if (current === null) return false;
    if (header.trim() === '*') return true;
    return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(current));
  };
  return async (req, res, next) => {
    const current = await etagOf(req);
    if (current !== null) res.set('ETag', current);
    const header = req.headers['if-none-match'];
    if (header === undefined || !matches(header, current)) return next();
    res.status(req.method === 'GET' || req.method === 'HEAD' ? 304 : 412).end();
  };
}
