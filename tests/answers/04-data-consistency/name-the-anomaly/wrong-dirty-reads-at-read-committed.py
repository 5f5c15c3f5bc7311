# Thinks that READ COMMITTED only keeps one from reading what will be rolled back: the rest of G0 to OTV needs more.
diagnosis = {one.letter: (one.anomaly, one.level) for one in anomalies.histories(SEED)}
diagnosis = {
    letter: (name, "REPEATABLE READ" if name in ("G0", "G1b", "G1c", "OTV") else level)
    for letter, (name, level) in diagnosis.items()
}
