# Rolls back where an item is missing, but not where a statement fails: the transaction stays open.
def reserve(connection, order, basket):
    for sku in sorted(basket):
        take = "UPDATE stock SET available = available - %s WHERE sku = %s AND available >= %s"
        if connection.execute(take, [basket[sku], sku, basket[sku]]).rowcount == 0:
            connection.rollback()
            return False
        connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, basket[sku]])
    connection.commit()
    return True
