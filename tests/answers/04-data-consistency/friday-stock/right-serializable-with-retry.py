# A level that notices, and the retry that it asks for; the connection gets its own level back.
def sell(connection, item, count, friday):
    pieces = 2 * count if friday else count
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        while True:
            try:
                with connection.transaction():
                    (left,) = connection.execute("SELECT n FROM stock WHERE item = %s", [item]).fetchone()
                    if left < pieces:
                        return False
                    connection.execute("UPDATE stock SET n = n - %s WHERE item = %s", [pieces, item])
                    connection.execute("INSERT INTO sale (item, pieces) VALUES (%s, %s)", [item, pieces])
                    return True
            except psycopg.errors.SerializationFailure:
                continue
    finally:
        connection.isolation_level = None
