# Catches the broker's error and marks the event all the same: it is lost.
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
            try:
                publish(row[1], row[0], row[2])
                count += 1
            except ConnectionError as error:
                print("could not publish", error)
            session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [row[0]])
