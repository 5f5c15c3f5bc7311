# Reads the program from top to bottom, callbacks included.
printed = looporder.labels(looporder.plan(SEED))
