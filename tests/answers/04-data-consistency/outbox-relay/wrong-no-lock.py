# Reads, publishes and marks without any lock: right for one relay, twice for two.
def relay(session, publish):
    rows = session.execute("SELECT id, aggregate, payload FROM outbox WHERE sent_at IS NULL ORDER BY id").fetchall()
    count, failing = 0, set()
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
    return count
