// A transaction is thought to keep what it has read from changing.
export async function buy(pool, order, sku, quantity) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query('SELECT available FROM stock WHERE sku = $1', [sku]);
    const enough = rows.length === 1 && rows[0].available >= quantity;
    if (enough) {
      await client.query('UPDATE stock SET available = $2 WHERE sku = $1', [sku, rows[0].available - quantity]);
      await client.query('INSERT INTO reservation VALUES ($1, $2, $3)', [order, sku, quantity]);
    }
    await client.query('COMMIT');
    return enough;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}
