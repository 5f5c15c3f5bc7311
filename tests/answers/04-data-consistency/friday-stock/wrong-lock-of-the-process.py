# A lock in the program: other programs don't know it.
import threading

LOCK = threading.Lock()


def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    with LOCK, connection.transaction():
        (left,) = connection.execute("SELECT n FROM stock WHERE item = %s", [item]).fetchone()
        if left < pieces:
            return False
        connection.execute("UPDATE stock SET n = n - %s WHERE item = %s", [pieces, item])
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
        return True
