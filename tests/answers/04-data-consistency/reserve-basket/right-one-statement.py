# All in one statement: lock in order, see if all is there, take and write.
def reserve(connection, order, basket):
    with connection.transaction():
        done = connection.execute(
            """
            WITH wanted AS MATERIALIZED (SELECT * FROM unnest(%(skus)s::text[], %(quantities)s::int[]) AS w (sku, quantity)),
            locked AS MATERIALIZED (
                SELECT sku, available FROM stock WHERE sku = ANY(%(skus)s) ORDER BY sku FOR UPDATE
            ),
            all_there AS MATERIALIZED (
                SELECT count(*) = %(count)s AS yes FROM locked JOIN wanted USING (sku) WHERE available >= quantity
            ),
            taken AS (
                UPDATE stock SET available = stock.available - quantity FROM wanted
                WHERE stock.sku = wanted.sku AND (SELECT yes FROM all_there) RETURNING stock.sku, quantity
            )
            INSERT INTO reservation SELECT %(order)s, sku, quantity FROM taken
            """,
            {"skus": list(basket), "quantities": list(basket.values()), "count": len(basket), "order": order},
        )
    return done.rowcount == len(basket)
