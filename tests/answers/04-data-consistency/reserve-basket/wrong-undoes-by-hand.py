# Sold out is undone by hand instead of by a rollback: in between, the others see what was never sold.
def reserve(connection, order, basket):
    taken = []
    for sku, quantity in sorted(basket.items()):
        done = connection.execute(
            "UPDATE stock SET available = available - %s WHERE sku = %s AND available >= %s", [quantity, sku, quantity]
        )
        connection.commit()
        if done.rowcount == 0:
            for sku, quantity in taken:
                connection.execute("UPDATE stock SET available = available + %s WHERE sku = %s", [quantity, sku])
            connection.commit()
            return False
        taken.append((sku, quantity))
    for sku, quantity in taken:
        connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    connection.commit()
    return True
