# Marks and commits before it publishes, so that no event is sent twice: a relay that dies between loses one.
def relay(session, publish):
    oldest = """
        SELECT id, aggregate, payload FROM outbox AS mine
        WHERE sent_at IS NULL AND aggregate <> ALL (%s) AND NOT EXISTS (
            SELECT FROM outbox AS earlier
            WHERE earlier.aggregate = mine.aggregate AND earlier.sent_at IS NULL AND earlier.id < mine.id)
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    """
    count, failing = 0, []
    while True:
        row = session.execute(oldest, [failing]).fetchone()
        if row is None:
            session.commit()
            return count
        session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [row[0]])
        session.commit()
        try:
            publish(row[1], row[0], row[2])
            count += 1
        except ConnectionError:
            session.execute("UPDATE outbox SET sent_at = NULL WHERE id = %s", [row[0]])
            session.commit()
            failing.append(row[1])
