# A lock_timeout for the session, left behind: whoever gets the connection next has it too.
def transfer(connection, source, target, amount):
    connection.execute("SET lock_timeout = '60s'")
    connection.commit()
    with connection.transaction():
        lock = "SELECT id, balance FROM account WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
        balances = dict(connection.execute(lock, [[source, target]]).fetchall())
        if len(balances) < 2:
            raise LookupError("no such account")
        if balances[source] < amount:
            return False
        connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
        return True
