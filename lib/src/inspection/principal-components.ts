/** The plane in which a path of states moves most. In float64. */
import { createRequire } from "node:module";

// Only when asked for: it takes a good part of the time that the library needs to load.
const algebra = (): typeof import("ml-matrix") =>
  createRequire(import.meta.url)("ml-matrix") as typeof import("ml-matrix");

/** Vectors in the coordinates of their principal components. */
export interface PrincipalComponents {
  /** a row a vector, a column a component */
  readonly points: readonly (readonly number[])[];
  /** the portion of all variance that each component has, the largest first */
  readonly explained: readonly number[];
  /** the mean of the vectors */
  readonly centre: Float64Array;
  /** one unit vector a component; its largest element is positive, so that runs compare */
  readonly directions: readonly Float64Array[];
  /** Another vector in the same coordinates: a second path beside the first. */
  readonly project: (vector: ArrayLike<number>) => number[];
}

/**
 * Principal components of vectors, by the eigenvectors of their inner products: for few long vectors, such as a state at
 * each token of a text.
 *
 * @param vectors at least two, of one length
 * @param count how many components; default 2. Those without variance are zero
 * @throws RangeError when there are fewer than two vectors, or lengths differ
 */
export function principalComponents(vectors: readonly ArrayLike<number>[], count = 2): PrincipalComponents {
  const [first] = vectors;
  if (!first || vectors.length < 2)
    throw new RangeError(`principalComponents: ${vectors.length} vectors, wanted 2 or more`);
  const size = first.length;
  const ragged = vectors.findIndex(({ length }) => length !== size);
  if (ragged >= 0) {
    throw new RangeError(
      `principalComponents: vector ${ragged} has ${vectors[ragged]!.length} numbers, wanted ${size}`,
    );
  }
  const centre = new Float64Array(size);
  for (const vector of vectors) for (let i = 0; i < size; i++) centre[i]! += vector[i]! / vectors.length;
  const centred = vectors.map((vector) => centre.map((mean, i) => vector[i]! - mean));
  const products = centred.map((a) => centred.map((b) => dot(a, b)));
  const { EigenvalueDecomposition, Matrix } = algebra();
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(new Matrix(products), {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  const total = products.reduce((sum, row, i) => sum + row[i]!, 0);
  // What rounding leaves of a component without variance is no direction.
  const least = 1e-12 * total;
  const directions = Array.from({ length: count }, (_, k): Float64Array => {
    const direction = new Float64Array(size);
    const column = order[k];
    const value = column === undefined ? 0 : realEigenvalues[column]!;
    if (value <= least) return direction;
    centred.forEach((vector, row) => {
      const weight = eigenvectorMatrix.get(row, column!) / Math.sqrt(value);
      for (let i = 0; i < size; i++) direction[i]! += weight * vector[i]!;
    });
    const largest = direction.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
    return largest < 0 ? direction.map((x) => -x) : direction;
  });
  const project = (vector: ArrayLike<number>): number[] => {
    if (vector.length !== size)
      throw new RangeError(`project: the vector has ${vector.length} numbers, wanted ${size}`);
    const moved = centre.map((mean, i) => vector[i]! - mean);
    return directions.map((direction) => dot(direction, moved));
  };
  return {
    points: vectors.map(project),
    explained: directions.map((_, k) => {
      const value = order[k] === undefined ? 0 : realEigenvalues[order[k]]!;
      return value <= least ? 0 : value / total;
    }),
    centre,
    directions,
    project,
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
