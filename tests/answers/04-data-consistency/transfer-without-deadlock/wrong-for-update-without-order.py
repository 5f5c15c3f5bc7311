# Thinks that one SELECT … FOR UPDATE takes both locks at once: without ORDER BY, the plan decides which comes first.
def transfer(connection, source, target, amount):
    with connection.transaction():
        lock = "SELECT id, balance FROM account WHERE id IN (%s, %s) FOR UPDATE"
        balances = dict(connection.execute(lock, [source, target]).fetchall())
        if len(balances) < 2:
            raise LookupError("no such account")
        if balances[source] < amount:
            return False
        connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
        return True
