# By the letters' numbers.
order = [chr(number) for number in sorted(map(ord, letters))]
