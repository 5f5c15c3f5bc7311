// One statement is a transaction of its own, on whatever client.
export async function buy(pool, order, sku, quantity) {
  const { rowCount } = await pool.query(
    `WITH taken AS (
       UPDATE stock SET available = available - $3 WHERE sku = $2 AND available >= $3 RETURNING sku
     ) INSERT INTO reservation (order_id, sku, quantity) SELECT $1::int, sku, $3::int FROM taken`,
    [order, sku, quantity],
  );
  return rowCount > 0;
}
