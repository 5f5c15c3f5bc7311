# REPEATABLE READ notices the conflict; what it raises then is left to the caller.
from psycopg import IsolationLevel


def reserve(connection, order, basket):
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    with connection.transaction():
        found = connection.execute("SELECT sku, available FROM stock WHERE sku = ANY(%s)", [list(basket)])
        available = dict(found.fetchall())
        if any(available.get(sku, 0) < quantity for sku, quantity in basket.items()):
            return False
        for sku, quantity in sorted(basket.items()):
            connection.execute("UPDATE stock SET available = available - %s WHERE sku = %s", [quantity, sku])
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
