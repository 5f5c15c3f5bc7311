# Thinks that a retry cures a deadlock: it still happens, and everybody has waited for deadlock_timeout by then.
import psycopg


def transfer(connection, source, target, amount):
    while True:
        try:
            with connection.transaction():
                balances = {}
                for account in (source, target):
                    sql = "SELECT balance FROM account WHERE id = %s FOR UPDATE"
                    row = connection.execute(sql, [account]).fetchone()
                    if row is None:
                        raise LookupError(account)
                    balances[account] = row[0]
                if balances[source] < amount:
                    return False
                connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
                connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
                return True
        except psycopg.errors.DeadlockDetected:
            continue
