# Which aggregate is whose is noted in the program: a relay in another process doesn't see it.
import threading

BUSY, GUARD = set(), threading.Lock()


def relay(session, publish):
    count = 0
    names = session.execute("SELECT aggregate FROM outbox WHERE sent_at IS NULL GROUP BY 1 ORDER BY min(id)").fetchall()
    session.commit()
    for (aggregate,) in names:
        with GUARD:
            if aggregate in BUSY:
                continue
            BUSY.add(aggregate)
        try:
            unsent = "SELECT id, payload FROM outbox WHERE aggregate = %s AND sent_at IS NULL ORDER BY id"
            for number, payload in session.execute(unsent, [aggregate]).fetchall():
                publish(aggregate, number, payload)
                session.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", [number])
                session.commit()
                count += 1
        except ConnectionError:
            pass
        finally:
            session.commit()
            with GUARD:
                BUSY.discard(aggregate)
    return count
