# One SELECT … FOR UPDATE is thought to lock its rows in one order, always: it locks them as the plan comes upon them.
def reserve(connection, order, basket):
    with connection.transaction():
        found = connection.execute("SELECT sku, available FROM stock WHERE sku = ANY(%s) FOR UPDATE", [list(basket)])
        available = dict(found.fetchall())
        if any(available.get(sku, 0) < quantity for sku, quantity in basket.items()):
            return False
        for sku, quantity in basket.items():
            connection.execute("UPDATE stock SET available = available - %s WHERE sku = %s", [quantity, sku])
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
