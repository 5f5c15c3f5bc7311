# The letters as they came.
order = list(letters)
