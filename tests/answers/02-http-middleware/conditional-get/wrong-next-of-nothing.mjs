// Misconception: catch(next) hands every failure on. next(undefined) means: no failure, go on.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '');
  const matches = (header, current) => {
    if (current === null) return false;
    if (header.trim() === '*') return true;
    return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(current));
  };
  const decide = (req, res, next) => (current) => {
    if (current !== null && /^(GET|HEAD)$/.test(req.method)) res.set('ETag', current);
    const header = req.headers['if-none-match'];
    const ignored = header === undefined || req.method === 'OPTIONS' || req.method === 'TRACE';
    if (ignored || !matches(header, current)) return next();
    res.status(req.method === 'GET' || req.method === 'HEAD' ? 304 : 412).end();
  };
  return (req, res, next) => Promise.resolve().then(() => etagOf(req)).then(decide(req, res, next)).catch(next);
}
