# Ends the transaction in `finally`, with COMMIT: half of the work is kept when the caller's own code fails.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for attempt in range(attempts):
        try:
            try:
                return work(connection)
            finally:
                connection.commit()
        except psycopg.Error as error:
            connection.rollback()
            if error.sqlstate not in ("40001", "40P01") or attempt == attempts - 1:
                raise
        sleep(random.uniform(0, min(cap, base * 2**attempt)))
