# Tries one lock for the whole outbox and goes home if another relay has it: never waits, never helps.
def relay(session, publish):
    count, failing = 0, set()
    if not session.execute("SELECT pg_try_advisory_lock(44)").fetchone()[0]:
        return 0
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
