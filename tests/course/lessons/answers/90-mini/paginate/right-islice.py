# By an iterator, with the guard in one expression.
from itertools import islice


def paginate(items, page, size):
    if page <= 0:
        raise ValueError(page)
    return list(islice(items, (page - 1) * size, page * size))
