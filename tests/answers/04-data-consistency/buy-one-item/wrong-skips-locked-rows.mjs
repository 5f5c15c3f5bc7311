// A row that somebody has locked is told as sold out, though that one may roll back.
export async function buy(pool, order, sku, quantity) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const lock = 'SELECT available FROM stock WHERE sku = $1 AND available >= $2 FOR UPDATE SKIP LOCKED';
    const { rows } = await client.query(lock, [sku, quantity]);
    if (rows.length === 1) {
      await client.query('UPDATE stock SET available = available - $2 WHERE sku = $1', [sku, quantity]);
      await client.query('INSERT INTO reservation VALUES ($1, $2, $3)', [order, sku, quantity]);
    }
    await client.query('COMMIT');
    return rows.length === 1;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}
