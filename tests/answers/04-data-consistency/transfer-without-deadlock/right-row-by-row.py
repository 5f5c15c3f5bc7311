# Locks row by row in the order of ids, then a debit with a condition; cursors, commit and rollback by hand.
def transfer(connection, source, target, amount):
    try:
        with connection.cursor() as cursor:
            for account in (min(source, target), max(source, target)):
                cursor.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", (account,))
                if cursor.fetchone() is None:
                    raise KeyError(account)
            cursor.execute(
                "UPDATE account SET balance = balance - %s WHERE id = %s AND balance >= %s", (amount, source, amount)
            )
            if cursor.rowcount == 0:
                connection.rollback()
                return False
            cursor.execute("UPDATE account SET balance = balance + %s WHERE id = %s", (amount, target))
        connection.commit()
        return True
    except BaseException:
        connection.rollback()
        raise
