/** tfjs's comparisons, in the order of `Comparison` in `cpp/tfjs/comparison_names.h`. */
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
