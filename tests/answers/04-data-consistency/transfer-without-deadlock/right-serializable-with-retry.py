# SERIALIZABLE and a retry for 40001; the locks are still taken in the order of ids.
import psycopg


def transfer(connection, source, target, amount):
    while True:
        try:
            connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            with connection.transaction():
                balances = dict(
                    connection.execute("SELECT id, balance FROM account WHERE id = ANY(%s)", [[source, target]]).fetchall()
                )
                if len(balances) < 2:
                    raise LookupError("no such account")
                if balances[source] < amount:
                    return False
                balances[source] -= amount
                balances[target] += amount
                for account in sorted(balances):
                    connection.execute("UPDATE account SET balance = %s WHERE id = %s", [balances[account], account])
                return True
        except psycopg.errors.SerializationFailure:
            continue
        finally:
            connection.isolation_level = None
