// pool.query('BEGIN') is thought to begin a transaction for what follows: each query may go to another client.
export async function buy(pool, order, sku, quantity) {
  await pool.query('BEGIN');
  try {
    const take = 'UPDATE stock SET available = available - $2 WHERE sku = $1 AND available >= $2';
    const { rowCount } = await pool.query(take, [sku, quantity]);
    if (rowCount === 1) await pool.query('INSERT INTO reservation VALUES ($1, $2, $3)', [order, sku, quantity]);
    await pool.query('COMMIT');
    return rowCount === 1;
  } catch (error) {
    await pool.query('ROLLBACK');
    throw error;
  }
}
