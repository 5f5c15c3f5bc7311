// "Claim, then work, then complete": who is killed in between leaves a claim that says 409 for ever.
export function idempotent(pool, work) {
  return async (request, response) => {
    const key = request.get('Idempotency-Key');
    if (!key) return response.status(400).json({ error: 'no key' });
    const body = JSON.stringify(request.body);
    const claim = await pool.query(
      'INSERT INTO idempotency_keys (key, request) VALUES ($1, $2) ON CONFLICT DO NOTHING', [key, body]);
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
      await client.query('DELETE FROM idempotency_keys WHERE key = $1', [key]);
      throw error;
    } finally {
      client.release();
    }
    response.status(answer.status).json(answer.body);
  };
}
