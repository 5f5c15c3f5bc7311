# One lock for all items: a sale of pens waits for one of cups.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    took = "UPDATE stock SET n = n - %s WHERE item = %s AND n >= %s"
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(1)")
        if connection.execute(took, [pieces, item, pieces]).rowcount == 0:
            return False
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
        return True
