# One advisory lock for all: the other servers' code doesn't take it, and everybody else waits in it.
def reserve(connection, order, basket):
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(1)")
        found = connection.execute("SELECT sku, available FROM stock WHERE sku = ANY(%s)", [list(basket)])
        available = dict(found.fetchall())
        if any(available.get(sku, 0) < quantity for sku, quantity in basket.items()):
            return False
        for sku, quantity in basket.items():
            connection.execute("UPDATE stock SET available = available - %s WHERE sku = %s", [quantity, sku])
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
