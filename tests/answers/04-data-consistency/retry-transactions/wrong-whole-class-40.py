# Retries the whole class 40 of SQLSTATEs.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for attempt in range(attempts):
        try:
            with connection.transaction():
                return work(connection)
        except psycopg.Error as error:
            if attempt == attempts - 1 or not (error.sqlstate or "").startswith("40"):
                raise
        sleep(random.uniform(0, min(cap, base * 2**attempt)))
