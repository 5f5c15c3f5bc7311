# Believes that a transaction keeps others from what it has read.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    with connection.transaction():
        (left,) = connection.execute("SELECT n FROM stock WHERE item = %s", [item]).fetchone()
        if left < pieces:
            return False
        connection.execute("UPDATE stock SET n = n - %s WHERE item = %s", [pieces, item])
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
        return True
