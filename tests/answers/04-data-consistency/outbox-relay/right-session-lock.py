# A lock of the session for each aggregate, and a commit after each event: a death repeats one event at most.
def relay(session, publish):
    session.autocommit = True
    key = "hashtextextended(%s, 7)"
    count, tried = 0, []
    while True:
        found = session.execute(
            "SELECT aggregate FROM outbox WHERE sent_at IS NULL AND aggregate <> ALL (%s) LIMIT 1", [tried]
        ).fetchone()
        if not found:
            return count
        aggregate = found[0]
        tried.append(aggregate)
        if not session.execute(f"SELECT pg_try_advisory_lock({key})", [aggregate]).fetchone()[0]:
            continue
        try:
            while row := session.execute(
                "SELECT id, payload FROM outbox WHERE aggregate = %s AND sent_at IS NULL ORDER BY id LIMIT 1", [aggregate]
            ).fetchone():
                publish(aggregate, *row)
                session.execute("UPDATE outbox SET sent_at = clock_timestamp() WHERE id = %s", [row[0]])
                count += 1
        except ConnectionError:
            pass
        finally:
            session.execute(f"SELECT pg_advisory_unlock({key})", [aggregate])
