# All right but for one pair of neighbours: nearly right is not right.
printed = looporder.run(SEED)
printed[-2:] = reversed(printed[-2:])
