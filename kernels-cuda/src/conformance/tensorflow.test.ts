/** The suite that tfjs ships for backends, on `tensorflow`: what tfjs-node lacks, which its own run of the suite leaves out too. */
import test from "node:test";
import { needsTensorflow } from "../testing/tensorflow.js";
import { passesSuite, patienceMilliseconds, type Lacks } from "./suite.js";

const lacks: Lacks = [
  [/^(bitwiseAnd|denseBincount|image\.transform|maxPoolWithArgmax|ragged\w+) /, "no such kernel"],
  [/^(lowerBound|upperBound|searchSorted|sparse\w+|stringNGrams|stringSplit|stringToHash\w+) /, "no such kernel"],
  [/^(avgPool|maxPool|pool|conv2dTranspose)\w* .*p=(\d|explicit)/, "no padding by numbers"],
  [/^fused conv2d .* in NCHW/, "no channels before rows and columns"],
  [/^(greater|greaterEqual|less|lessEqual) .*string comparison/, "TensorFlow compares no strings by order"],
  [/^diag bool$|^leakyrelu int32$|^step kernel with int32/, "TensorFlow has the op for other types only"],
  [/^avgPool3d x=\[1,1,1,1,1\] f=\[1,1,3\]/, "a window larger than its input is an error, not an empty tensor"],
  [/^conv2dTranspose .* vec4$/, "a shape that oneDNN, inside TensorFlow, has no convolution for"],
  [/^einsum (2d matrix calculate trace: duplicate axes|nonexistent dimension)/, "what the suite wants refused works"],
  [/^scatterND should /, "indices of one axis mean something else to TensorFlow"],
  [/^sign (basic|does not propagate NaNs|accepts a tensor-like object)/, "the sign of NaN is NaN, not 0"],
  [/^unique 1d tensor with NaN and Infinity/, "each NaN is another value"],
  [/^multinomial creates the same data given the same seed/, "two calls with one seed are two draws"],
  [/^tan numbers exceed float32 precision/, "one rounding beside a pole"],
];

test(
  "tensorflow passes tfjs's conformance suite, but for what tfjs-node lacks",
  {
    ...needsTensorflow,
    timeout: patienceMilliseconds,
  },
  (t) => passesSuite(t, "tensorflow", "tensorflow", lacks),
);
