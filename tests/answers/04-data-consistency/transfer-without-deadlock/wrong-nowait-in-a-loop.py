# Never waits in the server: asks for the lock again and again, in a loop, until it is free.
import time

import psycopg


def transfer(connection, source, target, amount):
    while True:
        try:
            with connection.transaction():
                lock = "SELECT id, balance FROM account WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE NOWAIT"
                balances = dict(connection.execute(lock, [[source, target]]).fetchall())
                if len(balances) < 2:
                    raise LookupError("no such account")
                if balances[source] < amount:
                    return False
                connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
                connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
                return True
        except psycopg.errors.LockNotAvailable:
            time.sleep(0.01)
