# Sets a limit for its own wait, and leaves it to whoever has the connection next.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    took = "UPDATE stock SET n = n - %s WHERE item = %s AND n >= %s"
    with connection.transaction():
        connection.execute("SET lock_timeout = '10s'")
        if connection.execute(took, [pieces, item, pieces]).rowcount == 0:
            return False
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
        return True
