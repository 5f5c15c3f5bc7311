# Thinks that a balance that was read is still the balance: it is checked without a lock, and the debit has no condition.
def transfer(connection, source, target, amount):
    with connection.transaction():
        balances = dict(connection.execute("SELECT id, balance FROM account").fetchall())
        if source not in balances or target not in balances:
            raise LookupError("no such account")
        if balances[source] < amount:
            return False
        for account, change in sorted([(source, -amount), (target, amount)]):
            connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [change, account])
        return True
