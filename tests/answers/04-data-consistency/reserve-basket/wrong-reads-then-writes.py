# A transaction is thought to keep what it has read from changing.
def reserve(connection, order, basket):
    with connection.transaction():
        found = connection.execute("SELECT sku, available FROM stock WHERE sku = ANY(%s) ORDER BY sku", [list(basket)])
        available = dict(found.fetchall())
        if any(available.get(sku, 0) < quantity for sku, quantity in basket.items()):
            return False
        for sku, quantity in sorted(basket.items()):
            connection.execute("UPDATE stock SET available = %s WHERE sku = %s", [available[sku] - quantity, sku])
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
