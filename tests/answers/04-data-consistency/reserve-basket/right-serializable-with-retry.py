# SERIALIZABLE notices that the stock has changed; the whole transaction again; rows are written in one order.
import psycopg


def reserve(connection, order, basket):
    while True:
        try:
            connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            found = connection.execute("SELECT sku, available FROM stock WHERE sku = ANY(%s)", [list(basket)])
            available = dict(found.fetchall())
            enough = all(available.get(sku, 0) >= quantity for sku, quantity in basket.items())
            for sku in sorted(basket, reverse=True) if enough else ():
                new = available[sku] - basket[sku]
                connection.execute("UPDATE stock SET available = %s WHERE sku = %s", [new, sku])
                connection.execute("INSERT INTO reservation VALUES (%s, %s, %s)", [order, sku, basket[sku]])
            connection.commit()
            return enough
        except psycopg.errors.SerializationFailure:
            connection.rollback()
        except BaseException:
            connection.rollback()
            raise
