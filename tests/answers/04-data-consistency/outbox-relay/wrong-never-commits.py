# Forgets that a statement begins a transaction: what it marked is rolled back when the connection is dropped.
def relay(session, publish):
    count = 0
    rows = session.execute(
        "SELECT id, aggregate, payload FROM outbox WHERE sent_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED"
    ).fetchall()
    for number, aggregate, payload in rows:
        publish(aggregate, number, payload)
        session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
        count += 1
    session.rollback()
    return count
