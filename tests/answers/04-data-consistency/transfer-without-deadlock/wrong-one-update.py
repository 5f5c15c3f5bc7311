# Thinks that a single statement can't deadlock: it locks its rows one by one, in the order of its plan.
def transfer(connection, source, target, amount):
    with connection.transaction():
        found = connection.execute("SELECT id FROM account WHERE id IN (%s, %s)", [source, target]).fetchall()
        if len(found) < 2:
            raise LookupError("no such account")
        moved = connection.execute(
            """UPDATE account SET balance = balance + CASE WHEN id = %(source)s THEN -%(amount)s ELSE %(amount)s END
               WHERE id IN (%(source)s, %(target)s)""",
            {"source": source, "target": target, "amount": amount},
        )
        assert moved.rowcount == 2
        (left,) = connection.execute("SELECT balance FROM account WHERE id = %s", [source]).fetchone()
        if left < 0:
            connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, source])
            connection.execute("UPDATE account SET balance = balance - %s WHERE id = %s", [amount, target])
            return False
        return True
