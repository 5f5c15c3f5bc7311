# The locks are taken, in order, but after the check: what they guard was read before.
def reserve(connection, order, basket):
    with connection.transaction():
        found = connection.execute("SELECT sku, available FROM stock WHERE sku = ANY(%s)", [list(basket)])
        available = dict(found.fetchall())
        if any(available.get(sku, 0) < quantity for sku, quantity in basket.items()):
            return False
        connection.execute("SELECT FROM stock WHERE sku = ANY(%s) ORDER BY sku FOR UPDATE", [list(basket)])
        for sku, quantity in basket.items():
            connection.execute("UPDATE stock SET available = available - %s WHERE sku = %s", [quantity, sku])
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
