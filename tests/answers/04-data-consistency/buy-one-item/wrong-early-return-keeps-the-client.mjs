// Sold out returns early, past the ROLLBACK and the release: each such call takes a client out of the pool.
export async function buy(pool, order, sku, quantity) {
  const client = await pool.connect();
  await client.query('BEGIN');
  try {
    const take = 'UPDATE stock SET available = available - $2 WHERE sku = $1 AND available >= $2';
    const { rowCount } = await client.query(take, [sku, quantity]);
    if (rowCount === 0) return false;
    await client.query('INSERT INTO reservation VALUES ($1, $2, $3)', [order, sku, quantity]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    client.release();
    throw error;
  }
  client.release();
  return true;
}
