# "Commit at once, so that the row is free": a sale that is refused then has taken its pieces all the same.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    took = "UPDATE stock SET n = n - %s WHERE item = %s AND n >= %s"
    with connection.transaction():
        if connection.execute(took, [pieces, item, pieces]).rowcount == 0:
            return False
    with connection.transaction():
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
    return True
