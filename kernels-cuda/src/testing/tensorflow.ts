/** For tests: the options of one that needs TensorFlow, with the reason for which it is skipped. CI does not set it up. */
import { tensorflowEngine } from "../tensorflow/engine-candidate.js";

const started = await tensorflowEngine.start();

/** `test(name, needsTensorflow, () => …)`. */
export const needsTensorflow: { skip: string | false } = { skip: started.ready ? false : started.reason };
