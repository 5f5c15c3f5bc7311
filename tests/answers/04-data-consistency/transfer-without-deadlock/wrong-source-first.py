# Thinks that a transaction is enough: each transfer locks its source first, so opposite ones lock crosswise.
def transfer(connection, source, target, amount):
    with connection.transaction():
        if connection.execute("SELECT 1 FROM account WHERE id = %s", [target]).fetchone() is None:
            raise LookupError(f"there is no account {target}")
        if connection.execute("SELECT 1 FROM account WHERE id = %s", [source]).fetchone() is None:
            raise LookupError(f"there is no account {source}")
        debit = "UPDATE account SET balance = balance - %s WHERE id = %s AND balance >= %s"
        if connection.execute(debit, [amount, source, amount]).rowcount == 0:
            return False
        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
        return True
