# Commits by hand, and forgets the rollback: after an error the connection is of no use to its owner.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    took = "UPDATE stock SET n = n - %s WHERE item = %s AND n >= %s"
    sold = connection.execute(took, [pieces, item, pieces]).rowcount == 1
    if sold:
        connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
    connection.commit()
    return sold
