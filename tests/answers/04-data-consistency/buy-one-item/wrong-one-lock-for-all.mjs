// One advisory lock for all, to be safe: a buyer waits for everybody else's row.
export async function buy(pool, order, sku, quantity) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock(1)');
    const take = 'UPDATE stock SET available = available - $2 WHERE sku = $1 AND available >= $2';
    const { rowCount } = await client.query(take, [sku, quantity]);
    if (rowCount === 1) await client.query('INSERT INTO reservation VALUES ($1, $2, $3)', [order, sku, quantity]);
    await client.query('COMMIT');
    return rowCount === 1;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}
