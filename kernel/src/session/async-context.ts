/**
 * Lets Node survive the termination of a cell while AsyncLocalStorage is in use.
 *
 * Up to Node 22, AsyncLocalStorage rests on async_hooks, which keep a stack of the running callbacks. A termination (an
 * interrupt of `while (true) {}` after an `await`, or in a timer) unwinds JavaScript without popping that stack, and
 * Node then aborts the process, because two checks find the stack out of order. The checks are switched by two counters;
 * they are set to "no checks" here, and the stack is emptied after a termination. From Node 24 on AsyncLocalStorage needs
 * no hooks, and there is nothing to do.
 */

interface AsyncWrap {
  readonly async_hook_fields: Uint32Array;
  readonly constants: Readonly<Record<"kTotals" | "kCheck", number>>;
  clearAsyncIdStack(): void;
}

let binding: AsyncWrap | undefined;

/** Call once, after the first AsyncLocalStorage has been used. */
export function tolerateTermination(): void {
  if (Number(process.versions.node.split(".")[0]) >= 24) return;
  const access = process as typeof process & { binding(name: string): unknown; noDeprecation?: boolean };
  const { noDeprecation } = access;
  // The binding is deprecated in favour of public interfaces, but there is none for this.
  access.noDeprecation = true;
  try {
    binding = access.binding("async_wrap") as AsyncWrap;
  } catch {
    // Without it an interrupt at the wrong moment costs the session, which the front reports and replaces.
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
