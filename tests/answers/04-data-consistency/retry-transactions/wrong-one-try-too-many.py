# Takes attempts for the number of retries, and sleeps before it gives up.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for attempt in range(attempts + 1):
        try:
            with connection.transaction():
                return work(connection)
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected) as error:
            last = error
            sleep(random.uniform(0, min(cap, base * 2**attempt)))
    raise last
