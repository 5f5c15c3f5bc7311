// Misconception: a list is split at its commas. A comma may stand inside a tag's quotes.
export function conditionalGet(etagOf) {
  const bare = (tag) => tag.trim().replace(/^W\//, '');
  return async (req, res, next) => {
    const current = await etagOf(req);
    if (current !== null && /^(GET|HEAD)$/.test(req.method)) res.set('ETag', current);
    const known = req.headers['if-none-match']?.split(',').map(bare) ?? [];
    if (current === null || !(known.includes('*') || known.includes(bare(current)))) return next();
    res.status(['GET', 'HEAD'].includes(req.method) ? 304 : 412).end();
  };
}
