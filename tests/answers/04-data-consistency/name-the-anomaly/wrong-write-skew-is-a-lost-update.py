# Takes write skew for a lost update: both read, both wrote, one decision was wrong.
diagnosis = {one.letter: (one.anomaly, one.level) for one in anomalies.histories(SEED)}
diagnosis = {
    letter: ("P4", "REPEATABLE READ") if name in ("G2-item", "G2") else (name, level)
    for letter, (name, level) in diagnosis.items()
}
