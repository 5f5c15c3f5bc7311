# Takes the strongest level instead of the weakest that is enough.
diagnosis = {
    one.letter: (one.anomaly, one.level and "SERIALIZABLE") for one in anomalies.histories(SEED)
}
