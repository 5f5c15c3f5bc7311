# Never waits with a lock in its hands: NOWAIT, and all of it again a moment later.
import random
import time

import psycopg


def reserve(connection, order, basket):
    while True:
        try:
            with connection.transaction():
                found = connection.execute(
                    "SELECT sku, available FROM stock WHERE sku = ANY(%s) FOR UPDATE NOWAIT", [list(basket)]
                )
                available = dict(found.fetchall())
                if any(available.get(sku, 0) < quantity for sku, quantity in basket.items()):
                    return False
                for sku, quantity in basket.items():
                    connection.execute("UPDATE stock SET available = available - %s WHERE sku = %s", [quantity, sku])
                    connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
            return True
        except psycopg.errors.LockNotAvailable:
            time.sleep(random.uniform(0.002, 0.01))
