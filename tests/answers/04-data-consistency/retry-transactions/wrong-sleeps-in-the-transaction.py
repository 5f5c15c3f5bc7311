# Sleeps first and rolls back afterwards: the failed transaction stays open meanwhile.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for attempt in range(attempts):
        try:
            result = work(connection)
            connection.commit()
            return result
        except psycopg.Error as error:
            if error.sqlstate not in ("40001", "40P01") or attempt == attempts - 1:
                connection.rollback()
                raise
            sleep(random.uniform(0, min(cap, base * 2**attempt)))
            connection.rollback()
        except BaseException:
            connection.rollback()
            raise
