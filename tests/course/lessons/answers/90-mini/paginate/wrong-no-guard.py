# A page before the first becomes a slice from the list's end, and nobody is told.
def paginate(items, page, size):
    return items[(page - 1) * size : page * size]
