# Few advisory locks for many accounts: transfers between other accounts share one, and wait for each other.
def transfer(connection, source, target, amount):
    with connection.transaction():
        for account in sorted([source, target]):
            connection.execute("SELECT pg_advisory_xact_lock(42, %s)", [account % 4])
        if connection.execute("SELECT count(*) FROM account WHERE id IN (%s, %s)", [source, target]).fetchone()[0] < 2:
            raise LookupError("no such account")
        enough = "SELECT 1 FROM account WHERE id = %s AND balance >= %s FOR UPDATE"
        for account in sorted([source, target]):
            ok = connection.execute(enough, [account, amount if account == source else 0]).fetchone()
            if ok is None:
                return False
        connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, source])
        connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
        return True
