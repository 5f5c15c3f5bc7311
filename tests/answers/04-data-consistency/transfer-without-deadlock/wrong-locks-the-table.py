# Thinks that a big lock is a safe lock: right, and every transfer waits for every other.
def transfer(connection, source, target, amount):
    with connection.transaction():
        connection.execute("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE")
        balances = dict(connection.execute("SELECT id, balance FROM account").fetchall())
        if source not in balances or target not in balances:
            raise LookupError("no such account")
        if balances[source] < amount:
            return False
        connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
        return True
