# No explicit lock: relative updates in the order of ids, each with its own condition; undone if one of them finds no row.
class Refused(Exception):
    pass


def transfer(connection, source, target, amount):
    try:
        with connection.transaction():
            for account, change in sorted([(source, -amount), (target, amount)]):
                done = connection.execute(
                    "UPDATE account SET balance = balance + %s WHERE id = %s AND balance + %s >= 0 RETURNING id",
                    [change, account, change],
                )
                if done.fetchone() is None:
                    there = connection.execute("SELECT 1 FROM account WHERE id = %s", [account]).fetchone()
                    raise Refused if there else LookupError(account)
        return True
    except Refused:
        with connection.transaction():
            if connection.execute("SELECT 1 FROM account WHERE id = %s", [target]).fetchone() is None:
                raise LookupError(target) from None
        return False
