# A deadlock is left to happen, and the one that was broken is tried again.
import psycopg


def reserve(connection, order, basket):
    while True:
        try:
            with connection.transaction():
                for sku, quantity in basket.items():
                    done = connection.execute(
                        "UPDATE stock SET available = available - %s WHERE sku = %s AND available >= %s",
                        [quantity, sku, quantity],
                    )
                    if done.rowcount == 0:
                        raise LookupError
                    connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, quantity])
            return True
        except LookupError:
            return False
        except psycopg.errors.DeadlockDetected:
            continue
