/** What a cell asks of the front end beside its outputs: the protocol's payloads. */
import { currentCell } from "./current-cell.js";

/** An entry of an `execute_reply`'s payload. */
export type Payload = Readonly<Record<string, unknown>> & { readonly source: string };

const pending = new Map<number, Payload[]>();

/** Adds to the payload of the cell that runs. */
export function addPayload(payload: Payload): void {
  const cell = currentCell();
  pending.set(cell, [...(pending.get(cell) ?? []), payload]);
}

/** The payload of a cell that ended, once; undefined where there is none. */
export function takePayload(cell: number): readonly Payload[] | undefined {
  const taken = pending.get(cell);
  pending.delete(cell);
  return taken;
}
