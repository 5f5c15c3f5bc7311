# Thinks that REPEATABLE READ is enough for everything that isn't a phantom or a lost update, so for write skew too.
diagnosis = {one.letter: (one.anomaly, one.level) for one in anomalies.histories(SEED)}
diagnosis = {
    letter: (name, "REPEATABLE READ" if name in ("G2-item", "G2") else level)
    for letter, (name, level) in diagnosis.items()
}
