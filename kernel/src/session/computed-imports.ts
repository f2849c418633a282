/**
 * Specifiers that running code has computed: only the language process can say whether one means a file of the notebook's own, and
 * compile that.
 */
import type { CompiledModule, ErrorReport, ImportReply } from "../session-protocol.js";
import { currentCell } from "./current-cell.js";
import { sendFrame } from "./frames.js";

/** A file that is wrong: its traceback is the compiler's. */
export class CompileError extends Error {
  readonly report: ErrorReport;
  constructor(report: ErrorReport) {
    super(report.evalue);
    this.name = report.ename;
    this.report = report;
    // Otherwise an error shows what it carries.
    Object.defineProperty(this, "report", { enumerable: false });
  }
}

/** Paths are what a file of the notebook's own is imported by. */
const PATH = /^(\.{0,2}\/|[A-Za-z]:[\\/]|file:)/;
const NODES_OWN = /\.(cjs|node|wasm)$/;

let asked = 0;
const waiting = new Map<number, (reply: ImportReply) => void>();

/** Takes the answer to a question of {@link askWhatIsMeant}. */
export function takeImport(reply: ImportReply): void {
  const take = waiting.get(reply.serial);
  waiting.delete(reply.serial);
  take?.(reply);
}

/** Whether a specifier may mean a file of the notebook's own that must be compiled. */
export function mayBeOwn(specifier: string): boolean {
  return PATH.test(specifier) && !NODES_OWN.test(specifier);
}

/**
 * The file of the notebook's own that a specifier means, with what it imports; no path where it means none.
 * @throws {CompileError} when something is wrong with the file
 */
export async function askWhatIsMeant(
  specifier: string,
): Promise<{ path?: string; modules: readonly CompiledModule[] }> {
  const serial = ++asked;
  const { path, modules, error } = await new Promise<ImportReply>((resolve) => {
    waiting.set(serial, resolve);
    sendFrame({ type: "import", cell: currentCell(), serial, specifier });
  });
  if (error !== undefined) throw new CompileError(error);
  return { modules, ...(path !== undefined && { path }) };
}
