# Locks the oldest event of every aggregate in one go: the other relays find nothing to do while one event is slow.
def relay(session, publish):
    heads = """
        SELECT id, aggregate, payload FROM outbox AS mine
        WHERE sent_at IS NULL AND aggregate <> ALL (%s) AND NOT EXISTS (
            SELECT FROM outbox AS earlier
            WHERE earlier.aggregate = mine.aggregate AND earlier.sent_at IS NULL AND earlier.id < mine.id)
        ORDER BY id FOR UPDATE SKIP LOCKED
    """
    count, failing = 0, []
    while True:
        with session.transaction():
            rows = session.execute(heads, [failing]).fetchall()
            if not rows:
                return count
            for number, aggregate, payload in rows:
                try:
                    publish(aggregate, number, payload)
                except ConnectionError:
                    failing.append(aggregate)
                    continue
                session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
                count += 1
