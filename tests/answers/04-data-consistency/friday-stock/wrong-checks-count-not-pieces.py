# One statement, but its condition forgets that Fridays take twice as much.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    with connection.transaction():
        took = "UPDATE stock SET n = n - %s WHERE item = %s AND n >= %s"
        if connection.execute(took, [pieces, item, count]).rowcount == 0:
            return False
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
        return True
