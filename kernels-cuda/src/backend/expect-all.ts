/** Whether a tensor's values are as many as its shape says: tfjs looks at the first row of a nested array alone. */
import { util, type DataType } from "@tensorflow/tfjs-core";

/** @throws RangeError when there are more values, or fewer, than the shape has places */
export function expectAll(
  values: ArrayLike<unknown> | null | undefined,
  shape: readonly number[],
  dtype: DataType,
): void {
  const places = util.sizeFromShape([...shape]) * (dtype === "complex64" ? 2 : 1);
  if (!values || values.length === places) return;
  throw new RangeError(
    `a tensor of shape [${shape.join(", ")}] has ${places} values, and ${values.length} were given: all rows of a nested ` +
      `array must be of one length`,
  );
}
