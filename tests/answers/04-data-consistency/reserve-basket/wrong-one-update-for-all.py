# One UPDATE for the whole basket is thought to take all of its locks at once.
def reserve(connection, order, basket):
    skus, quantities = list(basket), list(basket.values())
    done = connection.execute(
        "UPDATE stock SET available = available - wanted.quantity"
        " FROM unnest(%s::text[], %s::int[]) AS wanted (sku, quantity)"
        " WHERE stock.sku = wanted.sku AND available >= wanted.quantity",
        [skus, quantities],
    )
    if done.rowcount < len(basket):
        connection.rollback()
        return False
    for sku, quantity in basket.items():
        connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    connection.commit()
    return True
