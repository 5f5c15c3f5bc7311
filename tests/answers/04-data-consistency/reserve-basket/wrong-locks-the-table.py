# The whole table is locked, so that baskets which share nothing wait for each other.
def reserve(connection, order, basket):
    with connection.transaction():
        connection.execute("LOCK TABLE stock IN SHARE ROW EXCLUSIVE MODE")
        found = connection.execute("SELECT sku, available FROM stock WHERE sku = ANY(%s)", [list(basket)])
        available = dict(found.fetchall())
        if any(available.get(sku, 0) < quantity for sku, quantity in basket.items()):
            return False
        for sku, quantity in basket.items():
            connection.execute("UPDATE stock SET available = available - %s WHERE sku = %s", [quantity, sku])
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
