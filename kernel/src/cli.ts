/** The command `metastate-kernel`: `install` registers the kernel with Jupyter, `run` is what Jupyter starts. */
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { Kernel } from "./front/kernel.js";
import { kernelInfo } from "./front/kernel-info.js";
import { configuredPreloads, InstallError, installKernelspec, KERNEL_NAME, type InstallOptions } from "./kernelspec.js";
import { ConnectionFileError, readConnectionFile } from "./protocol/connection.js";

interface InstallFlags {
  readonly user?: boolean;
  readonly sysPrefix?: boolean;
  readonly prefix?: string;
  readonly preload?: readonly string[];
  readonly name: string;
}

function target(flags: InstallFlags): InstallOptions["target"] {
  const given = [flags.user === true, flags.sysPrefix === true, flags.prefix !== undefined].filter(Boolean).length;
  if (given > 1) throw new InstallError("Give one of --user, --sys-prefix and --prefix");
  if (flags.prefix !== undefined) return { kind: "prefix", prefix: flags.prefix };
  return flags.sysPrefix === true ? { kind: "prefix", prefix: pythonPrefix() } : { kind: "user" };
}

/** `sys.prefix` of the Python that is first on the path: that of an active virtual or conda environment. */
function pythonPrefix(): string {
  for (const python of ["python3", "python"]) {
    try {
      return execFileSync(python, ["-c", "import sys; print(sys.prefix)"], { encoding: "utf8" }).trim();
    } catch {
      // Not this one.
    }
  }
  throw new InstallError(
    "--sys-prefix needs a Python on the path: activate the environment of your Jupyter, or give its folder with --prefix",
  );
}

function install(flags: InstallFlags): void {
  const preloads = flags.preload?.map((path) => resolve(path)) ?? configuredPreloads(process.cwd());
  const folder = installKernelspec({ target: target(flags), preloads, name: flags.name });
  console.log(`The kernel "${flags.name}" is registered in ${folder}`);
  for (const preload of preloads) console.log(`Its cells preload ${preload}`);
}

function log(line: string): void {
  console.error(`[metastate-kernel] ${line}`);
}

async function run(connectionFile: string, flags: { preload?: readonly string[] }): Promise<void> {
  const connection = readConnectionFile(connectionFile);
  // Whatever goes wrong with one message, the notebook's variables are not to be lost for it.
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error) => {
      log(describe(error));
    });
  }
  try {
    await Kernel.serve({
      connection,
      folder: process.cwd(),
      cellApi: fileURLToPath(new URL("./cell-api/index.js", import.meta.url)),
      preloads: flags.preload ?? [],
      log,
    });
    process.exit(0);
  } catch (error) {
    log(`the kernel could not be started: ${describe(error)}`);
    process.exit(1);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

const program = new Command("metastate-kernel")
  .description("A TypeScript kernel for Jupyter")
  .version(String(kernelInfo()["implementation_version"]));
program
  .command("install")
  .description("register the kernel with Jupyter")
  .option("--user", "for this user, in every Jupyter of theirs (the default)")
  .option("--sys-prefix", "in the active Python or conda environment")
  .option("--prefix <folder>", "in the environment at this folder, as in --prefix .venv")
  .option(
    "--preload <module>",
    "JavaScript module whose exports are globals in cells; may be given again (default: what package.json names)",
    collect,
  )
  .option("--name <name>", "name of the kernelspec", KERNEL_NAME)
  .action(install);
program
  .command("run <connection-file>")
  .description("serve one connection: Jupyter calls this")
  .option("--preload <module>", "module whose exports are globals in cells", collect)
  .action(run);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof InstallError || error instanceof ConnectionFileError)) throw error;
  console.error(error.message);
  process.exit(1);
}
