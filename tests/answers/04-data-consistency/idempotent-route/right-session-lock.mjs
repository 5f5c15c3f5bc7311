// A lock of the session, given back after the commit; the key is looked up only once the lock is held.
export const idempotent = (pool, work) => async (request, response, next) => {
  const key = request.headers['idempotency-key'];
  if (!key) return void response.status(400).json({ error: 'key?' });
  const client = await pool.connect();
  let held = false, broken = false, send;
  try {
    held = (await client.query("SELECT pg_try_advisory_lock(45, hashtext($1)) AS ok", [key])).rows[0].ok;
    if (!held) send = () => response.status(409).json({ error: 'wait' });
    else {
      const found = await client.query('SELECT request, status, body FROM idempotency_keys WHERE key = $1', [key]);
      if (found.rows.length > 0) {
        const { request: earlier, status, body } = found.rows[0];
        const same = await client.query('SELECT $1::jsonb = $2::jsonb AS same',
          [JSON.stringify(earlier), JSON.stringify(request.body)]);
        send = same.rows[0].same ? () => response.status(status).json(body) : () => response.status(422).json({});
      } else {
        await client.query('BEGIN');
        const { status, body } = await work(client, request);
        await client.query('INSERT INTO idempotency_keys VALUES ($1, $2, $3, $4)',
          [key, JSON.stringify(request.body), status, JSON.stringify(body)]);
        await client.query('COMMIT');
        send = () => response.status(status).json(body);
      }
    }
  } catch (error) {
    send = () => next(error);
    try { await client.query('ROLLBACK'); } catch { broken = true; }
  }
  try {
    if (held && !broken) await client.query('SELECT pg_advisory_unlock(45, hashtext($1))', [key]);
  } catch { broken = true; }
  client.release(broken);
  send();
};
