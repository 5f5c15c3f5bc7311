# Any error becomes "not available": a bug, or an order that comes twice, looks like an empty shelf.
def reserve(connection, order, basket):
    try:
        for sku in sorted(basket):
            take = "UPDATE stock SET available = available - %s WHERE sku = %s AND available >= %s"
            if connection.execute(take, [basket[sku], sku, basket[sku]]).rowcount == 0:
                connection.rollback()
                return False
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, basket[sku]])
        connection.commit()
        return True
    except Exception:
        connection.rollback()
        return False
