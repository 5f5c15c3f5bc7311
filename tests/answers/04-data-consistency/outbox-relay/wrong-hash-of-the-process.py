# The lock's key is Python's hash(), which is salted in each process anew: the same aggregate, two locks.
def relay(session, publish):
    count = 0
    names = session.execute("SELECT aggregate FROM outbox WHERE sent_at IS NULL GROUP BY 1 ORDER BY min(id)").fetchall()
    session.commit()
    for (aggregate,) in names:
        lock = "SELECT pg_try_advisory_xact_lock(%s)"
        if session.execute(lock, [hash(aggregate)]).fetchone() == (True,):
            unsent = "SELECT id, payload FROM outbox WHERE aggregate = %s AND sent_at IS NULL ORDER BY id"
            for number, payload in session.execute(unsent, [aggregate]).fetchall():
                try:
                    publish(aggregate, number, payload)
                except ConnectionError:
                    break
                session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
                count += 1
        session.commit()
    return count
