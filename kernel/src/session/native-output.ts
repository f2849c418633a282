/**
 * Flushes the buffer of C's `stdout`. Native code that prints to a pipe prints into that buffer, and the text would come many
 * cells later. Node has no function for it; V8's `%GlobalPrint` flushes after what it prints, here nothing.
 */
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

let flush: (() => void) | undefined;

/** Hands on what native code has printed. */
export function flushNativeOutput(): void {
  try {
    flush ??= compile();
    flush();
  } catch {
    // V8 throws away the code of functions that rest, and cannot compile this one again without the flag.
    flush = compile();
  }
}

function compile(): () => void {
  setFlagsFromString("--allow-natives-syntax");
  try {
    const print = new Script('() => %GlobalPrint("")').runInThisContext() as () => void;
    // A function is compiled when it is first called, and only until the flag is taken back can it be.
    print();
    return print;
  } catch {
    // A V8 without this function: the text comes when the buffer is full, or at the session's end.
    return () => undefined;
  } finally {
    setFlagsFromString("--no-allow-natives-syntax");
  }
}
