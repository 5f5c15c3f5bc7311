# From the end of the alphabet.
order = sorted(letters, reverse=True)
