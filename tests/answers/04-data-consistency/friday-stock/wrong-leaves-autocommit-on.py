# Switches the caller's connection to autocommit, and leaves it so.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    took = "UPDATE stock SET n = n - %s WHERE item = %s AND n >= %s"
    connection.autocommit = True
    with connection.transaction():
        if connection.execute(took, [pieces, item, pieces]).rowcount == 0:
            return False
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
        return True
