# Doesn't wait: calls sold out what another sale merely holds.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    with connection.transaction():
        row = connection.execute("SELECT n FROM stock WHERE item = %s FOR UPDATE SKIP LOCKED", [item]).fetchone()
        if row is None or row[0] < pieces:
            return False
        connection.execute("UPDATE stock SET n = n - %s WHERE item = %s", [pieces, item])
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
        return True
