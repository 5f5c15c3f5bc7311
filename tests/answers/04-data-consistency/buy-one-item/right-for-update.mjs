// The row is locked before it is read; a client that failed is thrown away instead of rolled back.
export async function buy(pool, order, sku, quantity) {
  const client = await pool.connect();
  let broken;
  try {
    await client.query('BEGIN');
    const { rows: [row] } = await client.query('SELECT available FROM stock WHERE sku = $1 FOR UPDATE', [sku]);
    const enough = (row?.available ?? 0) >= quantity;
    if (enough) {
      await client.query('INSERT INTO reservation VALUES ($1, $2, $3)', [order, sku, quantity]);
      await client.query('UPDATE stock SET available = $2 WHERE sku = $1', [sku, row.available - quantity]);
    }
    await client.query(enough ? 'COMMIT' : 'ROLLBACK');
    return enough;
  } catch (error) {
    broken = error;
    throw error;
  } finally {
    client.release(broken);
  }
}
