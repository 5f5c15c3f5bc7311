# After an error it leaves out that event only: the aggregate's next one overtakes it.
def relay(session, publish):
    oldest = """
        SELECT id, aggregate, payload FROM outbox AS mine
        WHERE sent_at IS NULL AND id <> ALL (%(f)s) AND NOT EXISTS (
            SELECT FROM outbox AS earlier
            WHERE earlier.aggregate = mine.aggregate AND earlier.sent_at IS NULL AND earlier.id < mine.id
              AND earlier.id <> ALL (%(f)s))
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    """
    count, failed = 0, []
    while True:
        with session.transaction():
            row = session.execute(oldest, {"f": failed}).fetchone()
            if row is None:
                return count
            try:
                publish(row[1], row[0], row[2])
            except ConnectionError:
                failed.append(row[0])
                continue
            session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [row[0]])
            count += 1
