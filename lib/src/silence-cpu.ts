/** What tfjs's cpu backend says of itself. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

/** With its first tensor the backend would advertise another package; `startEngine` tells what there is. */
export function silenceCpu(): void {
  (tf.findBackend("cpu") as tf.KernelBackend & { firstUse: boolean }).firstUse = false;
}
