# Gives up with an error of its own: the caller no longer knows what happened.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for attempt in range(attempts):
        try:
            with connection.transaction():
                return work(connection)
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            pass
        if attempt < attempts - 1:
            sleep(random.uniform(0, min(cap, base * 2**attempt)))
    raise RuntimeError(f"gave up after {attempts} attempts")
