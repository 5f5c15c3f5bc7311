# Names who blocks most sessions directly: it waits itself.
def diagnose(url):
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            """SELECT b, count(*) FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) b
               GROUP BY b ORDER BY count(*) DESC LIMIT 1"""
        ).fetchone()
        if row is None:
            return None
        query = connection.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [row[0]]).fetchone()[0]
        lock = connection.execute(
            "SELECT locktype, relation::regclass::text, mode FROM pg_locks WHERE pid = %s AND granted LIMIT 1", [row[0]]
        ).fetchone()
    return {"pid": row[0], "lock": list(lock), "statement": query, "waiting": row[1]}
