# Calls itself for the next try.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep, failures=0):
    try:
        with connection.transaction():
            return work(connection)
    except psycopg.Error as error:
        again = error.sqlstate in ("40001", "40P01") and failures + 1 < attempts
        if not again:
            raise
    sleep(random.uniform(0.0, min(cap, base * 2.0**failures)))
    return in_transaction(
        connection, work, attempts=attempts, base=base, cap=cap, sleep=sleep, failures=failures + 1
    )
