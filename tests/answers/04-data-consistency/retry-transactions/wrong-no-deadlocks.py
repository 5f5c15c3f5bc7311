# Forgets that a deadlock is others' fault as well.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for attempt in range(attempts):
        try:
            with connection.transaction():
                return work(connection)
        except psycopg.errors.SerializationFailure:
            if attempt == attempts - 1:
                raise
        sleep(random.uniform(0, min(cap, base * 2**attempt)))
