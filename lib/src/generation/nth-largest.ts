/** Selection without sorting. */

/**
 * The n-th largest value (n from 1). Quickselect with the median of three: linear on average, and on sorted input. The
 * values end up in another order. They must not hold NaN.
 */
export function nthLargest(values: Float32Array, n: number): number {
  let [low, high] = [0, values.length - 1];
  const wanted = n - 1;
  while (low < high) {
    const [a, b, c] = [values[low]!, values[(low + high) >> 1]!, values[high]!];
    const pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
    let [left, right] = [low, high];
    while (left <= right) {
      while (values[left]! > pivot) left++;
      while (values[right]! < pivot) right--;
      if (left > right) break;
      [values[left], values[right]] = [values[right]!, values[left]!];
      left++;
      right--;
    }
    if (wanted <= right) high = right;
    else if (wanted >= left) low = left;
    else break;
  }
  return values[wanted]!;
}
