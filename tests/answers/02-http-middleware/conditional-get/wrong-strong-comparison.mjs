// Misconception: W/"v7" and "v7" are different tags. If-None-Match compares weakly.
export function conditionalGet(etagOf) {
  return async (req, res, next) => {
    const current = await etagOf(req), header = req.headers['if-none-match'];
    if (current !== null && /^(GET|HEAD)$/.test(req.method)) res.set('ETag', current);
    const tags = header?.match(/(W\/)?"[^"]*"/g) ?? [];
    if (current === null || !(header?.trim() === '*' || tags.includes(current))) return next();
    res.status(['GET', 'HEAD'].includes(req.method) ? 304 : 412).end();
  };
}
