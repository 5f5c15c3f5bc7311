# Remembers how far it has come, as the greatest id sent: passes by what took its id early and committed late.
def relay(session, publish):
    count, failing = 0, []
    with session.transaction():
        session.execute("CREATE TABLE IF NOT EXISTS relay_position (last bigint NOT NULL)")
        session.execute("INSERT INTO relay_position SELECT 0 WHERE NOT EXISTS (SELECT FROM relay_position)")
    while True:
        with session.transaction():
            (last,) = session.execute("SELECT last FROM relay_position FOR UPDATE").fetchone()
            row = session.execute(
                "SELECT id, aggregate, payload FROM outbox WHERE id > %s ORDER BY id LIMIT 1", [last]
            ).fetchone()
            if row is None:
                return count
            try:
                publish(row[1], row[0], row[2])
            except ConnectionError:
                return count
            session.execute("UPDATE relay_position SET last = %s", [row[0]])
            session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [row[0]])
            count += 1
