# One advisory lock for the whole outbox: nothing is sent twice, and nobody shares the work.
def relay(session, publish):
    session.execute("SELECT pg_advisory_lock(44)")
    count, failing = 0, set()
    rows = session.execute("SELECT id, aggregate, payload FROM outbox WHERE sent_at IS NULL ORDER BY id").fetchall()
    for number, aggregate, payload in rows:
        if aggregate in failing:
            continue
        try:
            publish(aggregate, number, payload)
        except ConnectionError:
            failing.add(aggregate)
            continue
        session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
        session.commit()
        count += 1
    session.execute("SELECT pg_advisory_unlock(44)")
    session.commit()
    return count
