# `except Exception` doesn't see KeyboardInterrupt: the transaction stays open, with its locks.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    for k in range(1, attempts + 1):
        try:
            result = work(connection)
            connection.commit()
            return result
        except Exception as error:
            if not connection.closed:
                connection.rollback()
            if getattr(error, "sqlstate", None) not in ("40001", "40P01") or k == attempts:
                raise
        sleep(random.uniform(0, min(cap, base * 2 ** (k - 1))))
