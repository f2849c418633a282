/** Serves one connection: what Jupyter starts. */
import { fileURLToPath } from "node:url";
import { LanguageClient } from "./language/client.js";
import { ConnectionFileError, readConnectionFile, type ConnectionInfo } from "./protocol/connection.js";
import { writeAll } from "./write-all.js";

/** The module whose exports every cell finds. */
export const CELL_API = fileURLToPath(new URL("./cell-api/index.js", import.meta.url));

export interface RunFlags {
  /** Absolute paths of preload modules. */
  readonly preload?: readonly string[];
}

/**
 * What is asked for where a kernelspec calls `metastate-kernel run`: that needs no parser of commands, which takes a part of the
 * start. Undefined where more, or something else, is asked for.
 */
export function asKernelspecCalls([connectionFile, ...rest]: readonly string[]): [string, RunFlags] | undefined {
  if (connectionFile === undefined || connectionFile.startsWith("-")) return undefined;
  const preload: string[] = [];
  for (let at = 0; at < rest.length; at += 2) {
    const path = rest[at + 1];
    if (rest[at] !== "--preload" || path === undefined || path.startsWith("-")) return undefined;
    preload.push(path);
  }
  return [connectionFile, { preload }];
}

/** Serves the connection of this file until a client asks for shutdown; then the process ends. */
export async function run(connectionFile: string, { preload: preloads = [] }: RunFlags): Promise<void> {
  const connection = read(connectionFile);
  // Whatever goes wrong with one message, the notebook's variables are not to be lost for it.
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error) => {
      log(describe(error));
    });
  }
  try {
    const folder = process.cwd();
    // The language first, since it takes longest to come up.
    const language = new LanguageClient({ folder, globals: [CELL_API, ...preloads] });
    // Meanwhile; and here, so that what fails to load, as ZeroMQ's native part may, is told of.
    const { Kernel } = await import("./front/kernel.js");
    await Kernel.serve({ connection, folder, language, preloads, log });
    process.exit(0);
  } catch (error) {
    log(`the kernel could not be started: ${describe(error)}`);
    process.exit(1);
  }
}

function read(connectionFile: string): ConnectionInfo {
  try {
    return readConnectionFile(connectionFile);
  } catch (error) {
    if (!(error instanceof ConnectionFileError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

/** Not by `process.stderr`: where nobody reads any more that fails later, which would be told of by a further line. */
function log(line: string): void {
  writeAll(process.stderr.fd, Buffer.from(`[metastate-kernel] ${line}\n`));
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
