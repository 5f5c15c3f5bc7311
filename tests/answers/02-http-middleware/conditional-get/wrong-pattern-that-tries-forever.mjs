// Misconception: a pattern that describes a list is a check of it. Where blanks fit in two places, each doubles the work.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '');
  const matches = (header, current) => {
    if (current === null) return false;
    if (header.trim() === '*') return true;
    if (!/^(\s*((?:W\/)?"[^"]*")?\s*,?)*$/.test(header)) return false; // no list
    return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(current));
  };
  return async (req, res, next) => {
    const current = await etagOf(req);
    const reads = req.method === 'GET' || req.method === 'HEAD';
    if (reads && current !== null) res.set('ETag', current);
    const header = req.headers['if-none-match'];
    const ignored = header === undefined || req.method === 'OPTIONS' || req.method === 'TRACE';
    if (ignored || !matches(header, current)) return next();
    res.status(reads ? 304 : 412).end();
  };
}
