# Reads the printed text only: who wrote what, what each read saw, in which order.
import re

WEAKEST = dict.fromkeys(["G0", "G1a", "G1b", "G1c", "OTV"], "READ COMMITTED")
WEAKEST |= dict.fromkeys(["PMP", "P4", "G-single"], "REPEATABLE READ")
WEAKEST |= dict.fromkeys(["G2-item", "G2"], "SERIALIZABLE")


def name(text):
    lines = [re.fullmatch(r"\s+(T\d): (.*?)(?:  → (.*))?", line).groups() for line in text.splitlines()[1:]]
    start = dict(re.findall(r"\('(\w+)', (\d+)\)", text.splitlines()[0]))
    writes, reads, asks, inserts, ends = [], [], [], [], {}
    for at, (who, sql, gave) in enumerate(lines):
        if write := re.fullmatch(r"UPDATE \w+ SET \w+ = (\d+) WHERE \w+ = '(\w+)'", sql):
            writes.append((at, who, write[2], write[1]))
        elif sql in ("COMMIT", "ROLLBACK"):
            ends[who] = (at, sql)
        elif sql.startswith(("INSERT", "DELETE")):
            inserts.append((at, who))
        elif re.search(r"(<|>=) \d+", sql):
            asks.append((at, who, gave))
        elif "IN (" in sql:
            reads += [(at, who, *pair.split()) for pair in gave.split(", ")]
        else:
            reads.append((at, who, re.search(r"= '(\w+)'", sql)[1], gave))
    if inserts:  # conditions
        return "PMP" if len({who for _, who in inserts}) == 1 else "G2"

    def writer(row, value):
        return next(((at, who) for at, who, r, v in writes if (r, v) == (row, value)), (-1, None))

    during = [read for read in reads if read[1] in ends]  # not the look afterwards
    seen = [(at, who, row, *writer(row, value)) for at, who, row, value in during]
    dirty = [one for one in seen if one[4] and one[4] != one[1] and ends[one[4]][0] > one[0]]
    if {(a, b) for _, a, _, _, b in dirty} & {(b, a) for _, a, _, _, b in dirty}:
        return "G1c"
    for at, who, row, written, by in dirty:
        if ends[by][1] == "ROLLBACK":
            return "G1a"
        if any(a > written and (w, r) == (by, row) for a, w, r, _ in writes):
            return "G1b"
        return "OTV"
    by_row = {}
    for at, who, row, value in writes:
        by_row.setdefault(row, []).append(who)
    for at, who, row, value in during:
        for at2, who2, row2, value2 in during:
            by = writer(row2, value2)[1]
            old = value == start[row] and at < at2 and who == who2 and row != row2
            if old and by not in (None, who) and by in by_row.get(row, []):
                return "G-single"
    both = [row for row, whos in by_row.items() if len(set(whos)) == 2]
    readers = {who for _, who, _, _ in during}
    if len(both) == 2:
        return "G0"
    if both and len({w for _, w, r, v in during if r == both[0] and v == start[r]}) == 2:
        return "P4"
    if len({w for _, w, _, _ in writes}) == 2 and len(readers) == 2:
        return "G2-item"
    return "none"


diagnosis = {}
for text in anomalies.show(anomalies.histories(SEED)).split("\n\n"):
    found = name(text)
    diagnosis[text[0]] = [found, WEAKEST.get(found)]
