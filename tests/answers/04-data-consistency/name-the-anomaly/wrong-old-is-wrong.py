# Takes a read that is older than another's commit for an anomaly, though an order explains it.
diagnosis = {one.letter: (one.anomaly, one.level) for one in anomalies.histories(SEED)}
diagnosis = {
    letter: ("G-single", "REPEATABLE READ") if name == "none" else (name, level)
    for letter, (name, level) in diagnosis.items()
}
