// Misconception: If-None-Match holds one tag, to be compared as a string. Lists, weak tags and * never match.
export function conditionalGet(etagOf) {
  return async (req, res, next) => {
    const current = await etagOf(req);
    if (current !== null && /^(GET|HEAD)$/.test(req.method)) res.set('ETag', current);
    if (current === null || req.headers['if-none-match'] !== current) return next();
    res.status(['GET', 'HEAD'].includes(req.method) ? 304 : 412).end();
  };
}
