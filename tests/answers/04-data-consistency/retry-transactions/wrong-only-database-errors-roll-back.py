# Rolls back for errors of the database only: one of the caller's own leaves the transaction open.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for attempt in range(attempts):
        try:
            result = work(connection)
            connection.commit()
            return result
        except psycopg.Error as error:
            connection.rollback()
            if error.sqlstate not in ("40001", "40P01") or attempt == attempts - 1:
                raise
        sleep(random.uniform(0, min(cap, base * 2**attempt)))
