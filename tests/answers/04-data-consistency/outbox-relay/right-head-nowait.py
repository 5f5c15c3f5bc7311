# Looks for the oldest event of each aggregate, and locks it alone; who doesn't get it at once leaves the aggregate.
import psycopg


def relay(session, publish):
    count = 0
    heads = session.execute(
        "SELECT DISTINCT ON (aggregate) aggregate FROM outbox WHERE sent_at IS NULL ORDER BY aggregate, id"
    ).fetchall()
    session.rollback()
    for (aggregate,) in heads:
        while True:
            try:
                row = session.execute(
                    "SELECT id, payload, sent_at FROM outbox WHERE id ="
                    " (SELECT min(id) FROM outbox WHERE aggregate = %s AND sent_at IS NULL) FOR UPDATE NOWAIT",
                    (aggregate,),
                ).fetchone()
                if row is None or row[2] is not None:
                    break
                publish(aggregate, row[0], row[1])
            except (psycopg.errors.LockNotAvailable, ConnectionError):
                break
            session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", (row[0],))
            session.commit()
            count += 1
        session.rollback()
    return count
