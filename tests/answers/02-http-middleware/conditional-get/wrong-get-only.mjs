// Misconception: conditions are for reading. With another method the header is a guard, and a match is a 412.
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
    const reads = req.method === 'GET' || req.method === 'HEAD';
    if (!reads || header === undefined || !matches(header, current)) return next();
    res.status(304).end();
  };
}
