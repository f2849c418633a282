/** What a cell asks of the front end beside its outputs: the protocol's payloads. */

/** An entry of an `execute_reply`'s payload. */
export type Payload = Readonly<Record<string, unknown>> & { readonly source: string };

let pending: Payload[] = [];

/** Adds to the payload of the cell that runs. */
export function addPayload(payload: Payload): void {
  pending.push(payload);
}

/** The payload of the cell that ended, once; undefined where there is none. */
export function takePayload(): readonly Payload[] | undefined {
  if (pending.length === 0) return undefined;
  const taken = pending;
  pending = [];
  return taken;
}
