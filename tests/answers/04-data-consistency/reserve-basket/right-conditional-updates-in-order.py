# One conditional UPDATE an item, in the items' order; a rollback where one finds nothing.
import psycopg


def reserve(connection, order, basket):
    with connection.transaction():
        for sku in sorted(basket):
            done = connection.execute(
                "UPDATE stock SET available = available - %(n)s WHERE sku = %(sku)s AND available >= %(n)s",
                {"sku": sku, "n": basket[sku]},
            )
            if done.rowcount == 0:
                raise psycopg.Rollback
            connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, basket[sku]])
        return True
    return False
