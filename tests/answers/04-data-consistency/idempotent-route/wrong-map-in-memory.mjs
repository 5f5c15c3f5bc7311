// "A Map is enough": it is gone after a restart, and each process has its own.
const seen = new Map();

export function idempotent(pool, work) {
  return async (request, response) => {
    const key = request.get('Idempotency-Key');
    if (!key) return response.status(400).json({ error: 'no key' });
    const body = JSON.stringify(request.body);
    const kept = seen.get(key);
    if (kept && kept.body !== body) return response.status(422).json({ error: 'another body' });
    if (kept && !kept.answer) return response.status(409).json({ error: 'under way' });
    if (kept) return response.status(kept.answer.status).json(kept.answer.body);
    seen.set(key, { body });
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const answer = await work(client, request);
      await client.query('COMMIT');
      seen.set(key, { body, answer });
      response.status(answer.status).json(answer.body);
    } catch (error) {
      await client.query('ROLLBACK');
      seen.delete(key);
      throw error;
    } finally {
      client.release();
    }
  };
}
