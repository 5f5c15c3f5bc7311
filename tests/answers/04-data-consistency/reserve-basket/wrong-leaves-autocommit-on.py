# Turns autocommit on, so that the block is the whole transaction, and never off again: the pool gets back another one.
import psycopg


def reserve(connection, order, basket):
    connection.autocommit = True
    with connection.transaction():
        for sku in sorted(basket):
            take = "UPDATE stock SET available = available - %s WHERE sku = %s AND available >= %s"
            if connection.execute(take, [basket[sku], sku, basket[sku]]).rowcount == 0:
                raise psycopg.Rollback
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, basket[sku]])
        return True
    return False
