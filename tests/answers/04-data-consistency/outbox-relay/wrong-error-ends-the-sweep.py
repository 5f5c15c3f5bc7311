# Lets the broker's error end the sweep: one aggregate that can't be sent holds up all the others.
def relay(session, publish):
    oldest = """
        SELECT id, aggregate, payload FROM outbox AS mine
        WHERE sent_at IS NULL AND NOT EXISTS (
            SELECT FROM outbox AS earlier
            WHERE earlier.aggregate = mine.aggregate AND earlier.sent_at IS NULL AND earlier.id < mine.id)
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    """
    count = 0
    while True:
        with session.transaction():
            row = session.execute(oldest).fetchone()
            if row is None:
                return count
            publish(row[1], row[0], row[2])
            session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [row[0]])
            count += 1
