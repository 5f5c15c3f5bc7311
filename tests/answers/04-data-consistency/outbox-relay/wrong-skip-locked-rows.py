# Locks single rows with SKIP LOCKED: a second relay takes a later event of an aggregate that the first is busy with.
def relay(session, publish):
    count, failing = 0, []
    while True:
        with session.transaction():
            row = session.execute(
                "SELECT id, aggregate, payload FROM outbox WHERE sent_at IS NULL AND aggregate <> ALL (%s)"
                " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
                [failing],
            ).fetchone()
            if row is None:
                return count
            try:
                publish(row[1], row[0], row[2])
            except ConnectionError:
                failing.append(row[1])
                continue
            session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [row[0]])
            count += 1
