# All aggregates in one transaction: one that is done with stays locked until the last of the others is.
def relay(session, publish):
    count = 0
    with session.transaction():
        names = session.execute("SELECT aggregate FROM outbox WHERE sent_at IS NULL GROUP BY 1 ORDER BY min(id)")
        for (aggregate,) in names.fetchall():
            lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
            if not session.execute(lock, [aggregate]).fetchone()[0]:
                continue
            unsent = "SELECT id, payload FROM outbox WHERE aggregate = %s AND sent_at IS NULL ORDER BY id"
            for number, payload in session.execute(unsent, [aggregate]).fetchall():
                try:
                    publish(aggregate, number, payload)
                except ConnectionError:
                    break
                session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
                count += 1
    return count
