/** tfjs's comparisons, in the order of `Comparison` in `cpp/tfjs/tensor_kernels.h` and in `cuda/tfjs/binary.h`. */
export const comparisonNames = [
  "Equal",
  "NotEqual",
  "Greater",
  "GreaterEqual",
  "Less",
  "LessEqual",
  "LogicalAnd",
  "LogicalOr",
] as const;
