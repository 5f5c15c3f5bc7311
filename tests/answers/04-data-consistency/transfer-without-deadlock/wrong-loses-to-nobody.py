# Thinks that an UPDATE that finds no row is an error: money sent to an account that doesn't exist is gone.
def transfer(connection, source, target, amount):
    with connection.transaction():
        lock = "SELECT id, balance FROM account WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
        balances = dict(connection.execute(lock, [[source, target]]).fetchall())
        if balances[source] < amount:
            return False
        connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
        return True
