# Thinks that a transaction protects what it read: it writes back a balance that it computed from a plain SELECT.
def transfer(connection, source, target, amount):
    with connection.transaction():
        balances = dict(connection.execute("SELECT id, balance FROM account").fetchall())
        if source not in balances or target not in balances:
            raise LookupError("no such account")
        if balances[source] < amount:
            return False
        balances[source] -= amount
        balances[target] += amount
        for account in sorted((source, target)):
            connection.execute("UPDATE account SET balance = %s WHERE id = %s", [balances[account], account])
        return True
