// "A claim older than a moment is dead": it takes the key from one that is only slow, or from one that was just begun.
export function idempotent(pool, work) {
  return async (request, response) => {
    const key = request.get('Idempotency-Key');
    if (!key) return response.status(400).json({ error: 'no key' });
    const body = JSON.stringify(request.body);
    const claim = await pool.query(
      `INSERT INTO idempotency_keys (key, request) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET created_at = now()
       WHERE idempotency_keys.status IS NULL AND idempotency_keys.created_at < now() - interval '1 ms'`, [key, body]);
    if (claim.rowCount === 0) {
      const { rows: [kept] } = await pool.query(
        'SELECT status, body, request = $2::jsonb AS same FROM idempotency_keys WHERE key = $1', [key, body]);
      if (!kept.same) return response.status(422).json({ error: 'another body' });
      if (!kept.status) return response.status(409).json({ error: 'under way' });
      return response.status(kept.status).json(kept.body);
    }
    const client = await pool.connect();
    let answer;
    try {
      await client.query('BEGIN');
      answer = await work(client, request);
      await client.query('UPDATE idempotency_keys SET status = $2, body = $3 WHERE key = $1',
        [key, answer.status, JSON.stringify(answer.body)]);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
    response.status(answer.status).json(answer.body);
  };
}
