// SERIALIZABLE, and the whole transaction again for as long as others were faster.
async function attempt(client, order, sku, quantity) {
  await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
  try {
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
    if (error.code === '40001') return undefined;
    throw error;
  }
}

export async function buy(pool, order, sku, quantity) {
  const client = await pool.connect();
  try {
    let done;
    while (done === undefined) done = await attempt(client, order, sku, quantity);
    return done;
  } finally {
    client.release();
  }
}
