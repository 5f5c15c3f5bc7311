# Thinks that one advisory lock for all transfers costs nothing because it locks no row.
def transfer(connection, source, target, amount):
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('transfer'))")
        lock = "SELECT id, balance FROM account WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
        balances = dict(connection.execute(lock, [[source, target]]).fetchall())
        if len(balances) < 2:
            raise LookupError("no such account")
        if balances[source] < amount:
            return False
        connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
        return True
