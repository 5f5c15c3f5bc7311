# Thinks: who holds only one lock at a time can't deadlock. True, and in between the money is nowhere.
def transfer(connection, source, target, amount):
    found = connection.execute("SELECT id FROM account WHERE id = ANY(%s)", [[source, target]]).fetchall()
    connection.commit()
    if len(found) < 2:
        raise LookupError("no such account")
    debit = "UPDATE account SET balance = balance - %s WHERE id = %s AND balance >= %s"
    taken = connection.execute(debit, [amount, source, amount]).rowcount
    connection.commit()
    if not taken:
        return False
    connection.execute("UPDATE account SET balance = balance + %s WHERE id = %s", [amount, target])
    connection.commit()
    return True
