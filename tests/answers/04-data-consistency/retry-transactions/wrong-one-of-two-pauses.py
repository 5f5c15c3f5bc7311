# The pause is one of two: those who failed together come again together, in half of the cases.
def in_transaction(connection, work, *, attempts=5, base=0.01, cap=1.0, sleep=time.sleep):
    tried = 0
    longest = base
    while True:
        tried += 1
        try:
            result = work(connection)
            connection.commit()
        except BaseException as error:
            if not connection.closed:
                connection.rollback()
            if getattr(error, "sqlstate", None) not in {"40001", "40P01"} or tried >= attempts:
                raise
        else:
            return result
        sleep(random.choice([0.1, 0.9]) * min(cap, longest))
        longest *= 2
