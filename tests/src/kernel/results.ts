/** What tests of the kernel read out of an execution. */
import type { Execution } from "../client.js";

/** `text/plain` of a cell's result. */
export function resultOf({ outputs }: Execution): unknown {
  const result = outputs.find(({ type }) => type === "execute_result");
  return (result?.content["data"] as Record<string, unknown> | undefined)?.["text/plain"];
}

/** Whether a process of this id is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
