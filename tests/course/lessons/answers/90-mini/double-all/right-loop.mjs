// A loop, into a new array.
export function doubleAll(numbers) {
  const all = [];
  for (const number of numbers) all.push(number + number);
  return all;
}
