// One transaction: the INSERT of the key is the claim. Another's uncommitted claim makes it wait, a few ms at most.
export function idempotent(pool, work) {
  const inTransaction = async (run) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const result = await run(client);
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      await client.query('ROLLBACK').then(() => client.release(), (lost) => client.release(lost));
      throw error;
    }
  };

  return async (request, response) => {
    const key = request.get('Idempotency-Key');
    if (!key) return response.sendStatus(400);
    const body = JSON.stringify(request.body);
    const [status, answer] = await inTransaction(async (client) => {
      await client.query("SET LOCAL lock_timeout = '20ms'");
      const claim = await client.query(
        'INSERT INTO idempotency_keys (key, request) VALUES ($1, $2) ON CONFLICT DO NOTHING', [key, body]);
      await client.query('SET LOCAL lock_timeout = 0');
      if (claim.rowCount === 1) {
        const done = await work(client, request);
        await client.query('UPDATE idempotency_keys SET status = $2, body = $3 WHERE key = $1',
          [key, done.status, JSON.stringify(done.body)]);
        return [done.status, done.body];
      }
      const { rows: [kept] } = await client.query(
        'SELECT *, request = $2::jsonb AS same FROM idempotency_keys WHERE key = $1', [key, body]);
      return kept.same ? [kept.status, kept.body] : [422, { error: 'another body' }];
    }).catch((error) => {
      if (error.code === '55P03') return [409, { error: 'under way' }];
      throw error;
    });
    response.status(status).json(answer);
  };
}
