/**
 * Lets Node survive the termination of a cell while AsyncLocalStorage is in use.
 *
 * Node keeps a stack of the running callbacks. A termination (an interrupt of `while (true) {}` after an `await`, or in a
 * timer) unwinds JavaScript without popping that stack, and Node then ends the process, because two checks find the stack
 * out of order. The session is started with `--no-force-async-hooks-checks`, but up to Node 22 AsyncLocalStorage rests on
 * async_hooks, which turn the checks on again. They are switched by two counters; these are set to "no checks" here, and
 * the stack is emptied after a termination. From Node 24 on AsyncLocalStorage needs no hooks, and the flag is enough.
 */

interface AsyncWrap {
  readonly async_hook_fields: Uint32Array;
  readonly constants: Readonly<Record<"kTotals" | "kCheck", number>>;
  clearAsyncIdStack(): void;
}

let binding: AsyncWrap | undefined;

/** Call once, after the first AsyncLocalStorage has been used. */
export function tolerateTermination(): void {
  const access = process as typeof process & { binding(name: string): unknown; noDeprecation?: boolean };
  const { noDeprecation } = access;
  // The binding is deprecated in favour of public interfaces, but there is none for this.
  access.noDeprecation = true;
  try {
    binding = access.binding("async_wrap") as AsyncWrap;
  } catch {
    // Node 24 has no such binding, and needs none.
  }
  access.noDeprecation = noDeprecation;
  disableChecks();
}

/** Call after a termination. */
export function afterTermination(): void {
  binding?.clearAsyncIdStack();
  disableChecks();
}

function disableChecks(): void {
  if (binding === undefined) return;
  const { async_hook_fields: fields, constants } = binding;
  fields[constants.kTotals] = 0;
  fields[constants.kCheck] = 0;
}
