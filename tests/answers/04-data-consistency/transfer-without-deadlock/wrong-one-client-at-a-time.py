# Thinks that a lock in the program protects the database: one mutex for all transfers, and only of this process.
import threading

MUTEX = threading.Lock()


def transfer(connection, source, target, amount):
    with MUTEX, connection.transaction():
        balances = dict(connection.execute("SELECT id, balance FROM account").fetchall())
        if source not in balances or target not in balances:
            raise LookupError("no such account")
        if balances[source] < amount:
            return False
        connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
        return True
