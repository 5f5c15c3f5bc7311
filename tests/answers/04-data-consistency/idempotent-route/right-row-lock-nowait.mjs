// The key's row is there first, without an answer; who works holds its lock. A lock that can't be had at once: 409.
const LOCK_NOT_AVAILABLE = '55P03';

export function idempotent(pool, work) {
  return async function (request, response, next) {
    const key = request.get('Idempotency-Key');
    if (!key) {
      response.status(400).json({ title: 'no Idempotency-Key' });
      return;
    }
    const fingerprint = JSON.stringify(request.body);
    let answer;
    try {
      const { rowCount: known } = await pool.query('SELECT FROM idempotency_keys WHERE key = $1', [key]);
      if (!known) { // an INSERT would wait for one who has updated the row and not yet committed
        await pool.query(
          'INSERT INTO idempotency_keys (key, request) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING', [key, fingerprint]);
      }
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const { rows } = await client.query(
          'SELECT request = $2::jsonb AS same, status, body FROM idempotency_keys WHERE key = $1 FOR UPDATE NOWAIT',
          [key, fingerprint]);
        const [row] = rows;
        if (!row.same) answer = { status: 422, body: { title: 'key reused' } };
        else if (row.status) answer = { status: row.status, body: row.body };
        else {
          answer = await work(client, request);
          await client.query('UPDATE idempotency_keys SET status = $2, body = $3 WHERE key = $1',
            [key, answer.status, JSON.stringify(answer.body)]);
        }
        await client.query('COMMIT');
        client.release();
      } catch (error) {
        try {
          await client.query('ROLLBACK');
          client.release();
        } catch (lost) {
          client.release(lost);
        }
        if (error.code !== LOCK_NOT_AVAILABLE) throw error;
        answer = { status: 409, body: { title: 'under way' } };
      }
    } catch (error) {
      next(error);
      return;
    }
    response.status(answer.status).json(answer.body);
  };
}
