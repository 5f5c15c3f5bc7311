# Commits after the try: a serialization failure of COMMIT is not retried.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for attempt in range(attempts):
        try:
            result = work(connection)
        except psycopg.Error as error:
            connection.rollback()
            if error.sqlstate not in ("40001", "40P01") or attempt == attempts - 1:
                raise
        except BaseException:
            connection.rollback()
            raise
        else:
            connection.commit()
            return result
        sleep(random.uniform(0, min(cap, base * 2**attempt)))
