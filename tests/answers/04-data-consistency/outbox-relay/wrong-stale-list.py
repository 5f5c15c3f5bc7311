# Takes the aggregate's lock, but goes on with the list that it read before: another relay has sent some of it since.
def relay(session, publish):
    rows = session.execute("SELECT id, aggregate, payload FROM outbox WHERE sent_at IS NULL ORDER BY id").fetchall()
    session.commit()
    count, done = 0, set()
    for aggregate in dict.fromkeys(row[1] for row in rows):
        lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
        if not session.execute(lock, [aggregate]).fetchone()[0]:
            session.commit()
            continue
        for number, name, payload in rows:
            if name == aggregate:
                try:
                    publish(aggregate, number, payload)
                except ConnectionError:
                    break
                session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
                count += 1
        session.commit()
    return count
