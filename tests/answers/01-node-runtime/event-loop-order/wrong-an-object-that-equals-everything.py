# A list that claims to equal every other: what crosses to the tests is plain data, so that it convinces no one.
class Agreeable(list):
    def __eq__(self, other):
        return True

    __hash__ = None


printed = Agreeable(sorted(looporder.labels(looporder.plan(SEED))))
