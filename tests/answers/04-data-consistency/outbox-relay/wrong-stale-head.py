# Looks for an aggregate's oldest event, then locks it by its id: by then another relay may have sent it.
def relay(session, publish):
    heads = """
        SELECT DISTINCT ON (aggregate) id, aggregate, payload FROM outbox
        WHERE sent_at IS NULL AND aggregate <> ALL (%s) ORDER BY aggregate, id
    """
    count, leave = 0, []
    while rows := session.execute(heads, [leave]).fetchall():
        session.commit()
        for number, aggregate, payload in rows:
            lock = "SELECT id FROM outbox WHERE id = %s FOR UPDATE SKIP LOCKED"
            if session.execute(lock, [number]).fetchone() is None:
                leave.append(aggregate)
                session.commit()
                continue
            try:
                publish(aggregate, number, payload)
            except ConnectionError:
                leave.append(aggregate)
                session.commit()
                continue
            session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
            session.commit()
            count += 1
    return count
