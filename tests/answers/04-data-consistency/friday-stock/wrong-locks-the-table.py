# Locks the whole table: sales of other items wait.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    with connection.transaction():
        connection.execute("LOCK TABLE stock IN EXCLUSIVE MODE")
        (left,) = connection.execute("SELECT n FROM stock WHERE item = %s", [item]).fetchone()
        if left < pieces:
            return False
        connection.execute("UPDATE stock SET n = n - %s WHERE item = %s", [pieces, item])
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
        return True
