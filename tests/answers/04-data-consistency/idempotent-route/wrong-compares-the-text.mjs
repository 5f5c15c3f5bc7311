// "The same body is the same text": an object whose keys come in another order is the same JSON value.
/** Express middleware that runs `work(client, request)`, which resolves to { status, body }, once for each key. */
export function idempotent(pool, work) {
  async function decide(client, key, request) {
    const body = JSON.stringify(JSON.stringify(request.body ?? null)); // the text, as a JSON string
    // Held until the transaction ends, however it ends: also when this process is killed.
    const { rows: [{ mine }] } = await client.query(
      'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS mine', [key]);
    if (!mine) return { status: 409, body: { error: 'a request with this key is under way' } };
    const { rows: [kept] } = await client.query(
      'SELECT status, body, request = $2::jsonb AS same FROM idempotency_keys WHERE key = $1', [key, body]);
    if (kept && !kept.same) return { status: 422, body: { error: 'this key was used with another body' } };
    if (kept) return kept;
    const answer = await work(client, request);
    await client.query('INSERT INTO idempotency_keys (key, request, status, body) VALUES ($1, $2, $3, $4)',
      [key, body, answer.status, JSON.stringify(answer.body)]);
    return answer;
  }

  return async (request, response) => {
    const key = request.get('Idempotency-Key');
    if (!key) return response.status(400).json({ error: 'Idempotency-Key is missing' });
    const client = await pool.connect();
    let answer, lost;
    try {
      await client.query('BEGIN');
      answer = await decide(client, key, request);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK').catch((reason) => { lost = reason; });
      throw error;
    } finally {
      client.release(lost);
    }
    response.status(answer.status).json(answer.body);
  };
}
