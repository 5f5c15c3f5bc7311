// Misconception: a 304 needs no headers, the client has them. It must carry the ETag, so that the right copy is renewed.
export function conditionalGet(etagOf) {
  const opaque = (tag) => tag.replace(/^W\//, '');
  const matches = (header, current) => {
    if (current === null) return false;
    if (header.trim() === '*') return true;
    return (header.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(current));
  };
  return async (req, res, next) => {
    const current = await etagOf(req);
    const header = req.headers['if-none-match'];
    if (header === undefined || !matches(header, current)) {
      if (current !== null && /^(GET|HEAD)$/.test(req.method)) res.set('ETag', current);
      return next();
    }
    res.status(req.method === 'GET' || req.method === 'HEAD' ? 304 : 412).end();
  };
}
