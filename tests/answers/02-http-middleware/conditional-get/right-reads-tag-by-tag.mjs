// A small scanner and promises instead of a global match and await.
function* tags(header) {
  const tag = /[\s,]*(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/y;
  for (let found; (found = tag.exec(header)); ) yield found[1];
}
export function conditionalGet(etagOf) {
  return (req, res, next) => {
    const decide = (current) => {
      if (current === null) return next();
      if (['GET', 'HEAD'].includes(req.method)) res.setHeader('ETag', current);
      const header = req.get('If-None-Match');
      if (header === undefined || ['OPTIONS', 'TRACE'].includes(req.method)) return next();
      const own = current.startsWith('W/') ? current.slice(2) : current;
      if (header.trim() !== '*' && ![...tags(header)].includes(own)) return next();
      res.sendStatus(req.method === 'GET' || req.method === 'HEAD' ? 304 : 412);
    };
    const failed = (error) => next(error ?? new Error('no reason given'));
    Promise.resolve().then(() => etagOf(req)).then(decide).catch(failed);
  };
}
