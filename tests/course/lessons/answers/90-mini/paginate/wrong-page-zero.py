# Pages counted from 0.
def paginate(items, page, size):
    return items[page * size : page * size + size]
