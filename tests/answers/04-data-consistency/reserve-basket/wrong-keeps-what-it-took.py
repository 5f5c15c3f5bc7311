# Returning from the transaction's block is thought to undo it: the items before the missing one stay taken.
def reserve(connection, order, basket):
    with connection.transaction():
        for sku, quantity in sorted(basket.items()):
            done = connection.execute(
                "UPDATE stock SET available = available - %s WHERE sku = %s AND available >= %s",
                [quantity, sku, quantity],
            )
            if done.rowcount == 0:
                return False
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
