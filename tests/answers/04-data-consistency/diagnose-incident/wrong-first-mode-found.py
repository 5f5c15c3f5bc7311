# "There is one row for a lock": pg_locks has one for each mode that is held, and the first is any of them.
def diagnose(url):
    with psycopg.connect(url, autocommit=True) as connection:
        edges = connection.execute(
            """WITH RECURSIVE edge AS MATERIALIZED (
                   SELECT a.pid AS waiter, b AS blocker
                   FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) b WHERE a.datname = current_database()
               ), path AS (
                   SELECT waiter, blocker FROM edge
                   UNION SELECT path.waiter, edge.blocker FROM path JOIN edge ON edge.waiter = path.blocker
               )
               SELECT blocker, count(DISTINCT waiter) FROM path
               WHERE blocker NOT IN (SELECT waiter FROM edge) GROUP BY blocker ORDER BY 2 DESC LIMIT 1"""
        ).fetchone()
        if edges is None:
            return None
        pid, waiting = edges
        statement = connection.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()[0]
        lock = connection.execute(
            """SELECT locktype, relation::regclass::text, mode FROM pg_locks h WHERE pid = %s AND granted AND EXISTS (
                   SELECT 1 FROM pg_locks w WHERE NOT w.granted AND w.locktype = h.locktype
                   AND %s = ANY(pg_blocking_pids(w.pid))
                   AND (w.transactionid = h.transactionid OR w.locktype = 'relation' AND w.relation = h.relation))
               LIMIT 1""",
            [pid, pid],
        ).fetchone()
    return {"pid": pid, "lock": list(lock), "statement": statement, "waiting": waiting}
