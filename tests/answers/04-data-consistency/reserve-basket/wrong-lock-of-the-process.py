# A lock in the process is thought to keep others out: it holds no other server, and holds up baskets that share nothing.
import threading

ONE_AT_A_TIME = threading.Lock()


def reserve(connection, order, basket):
    with ONE_AT_A_TIME, connection.transaction():
        found = connection.execute("SELECT sku, available FROM stock WHERE sku = ANY(%s)", [list(basket)])
        available = dict(found.fetchall())
        if any(available.get(sku, 0) < quantity for sku, quantity in basket.items()):
            return False
        for sku, quantity in basket.items():
            connection.execute("UPDATE stock SET available = available - %s WHERE sku = %s", [quantity, sku])
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
    return True
