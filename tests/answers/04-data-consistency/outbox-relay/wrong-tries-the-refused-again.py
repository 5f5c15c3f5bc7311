# Goes round until a whole round publishes nothing, and forgets what was refused: the same event is tried in each round.
def relay(session, publish):
    total = 0
    while True:
        count = 0
        names = session.execute("SELECT aggregate FROM outbox WHERE sent_at IS NULL GROUP BY 1 ORDER BY min(id)").fetchall()
        session.commit()
        for (aggregate,) in names:
            lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
            if session.execute(lock, [aggregate]).fetchone()[0]:
                unsent = "SELECT id, payload FROM outbox WHERE aggregate = %s AND sent_at IS NULL ORDER BY id"
                for number, payload in session.execute(unsent, [aggregate]).fetchall():
                    try:
                        publish(aggregate, number, payload)
                    except ConnectionError:
                        break
                    session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
                    count += 1
            session.commit()
        total += count
        if not count:
            return total
