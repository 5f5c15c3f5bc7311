// Misconception: a match is always 304. For a method that changes something it is 412: the client must learn that it failed.
export function conditionalGet(etagOf) {
  return async (req, res, next) => {
    const current = await etagOf(req), header = req.headers['if-none-match'];
    if (current !== null && /^(GET|HEAD)$/.test(req.method)) res.set('ETag', current);
    const tags = header?.match(/"[^"]*"/g) ?? [];
    const hit = current !== null && (header?.trim() === '*' || tags.includes(current.replace('W/', '')));
    return hit ? res.status(304).end() : next();
  };
}
