# One statement: its sub-query locks in the order of ids before anything is changed.
TRANSFER = """
WITH locked AS MATERIALIZED (
    SELECT id, balance FROM account WHERE id IN (%(source)s, %(target)s) ORDER BY id FOR UPDATE
), moved AS (
    UPDATE account SET balance = account.balance + CASE account.id WHEN %(source)s THEN -%(amount)s ELSE %(amount)s END
    FROM locked
    WHERE account.id = locked.id AND (SELECT count(*) FROM locked) = 2
      AND (SELECT balance FROM locked WHERE id = %(source)s) >= %(amount)s
    RETURNING account.id
)
SELECT (SELECT count(*) FROM locked), (SELECT count(*) FROM moved)
"""


def transfer(connection, source, target, amount):
    with connection.transaction():
        values = {"source": source, "target": target, "amount": amount}
        there, moved = connection.execute(TRANSFER, values).fetchone()
    if there < 2:
        raise LookupError("no such account")
    return moved == 2
