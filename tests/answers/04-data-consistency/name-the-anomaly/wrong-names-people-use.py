# Gives the names that people use, not the short ones.
diagnosis = {
    one.letter: (anomalies.ANOMALIES[one.anomaly].called if one.level else "none", one.level)
    for one in anomalies.histories(SEED)
}
