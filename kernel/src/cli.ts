/**
 * The command `metastate-kernel`: `install` and `uninstall` tell Jupyter of the kernel, `doctor` looks what is missing, `run`
 * is what Jupyter starts.
 */
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { kernelInfo } from "./front/kernel-info.js";
import {
  configuredPreloads,
  InstallError,
  installKernelspec,
  KERNEL_NAME,
  uninstallKernelspec,
  type Target,
} from "./kernelspec.js";
import { prepareSnapshot } from "./language/client.js";
import { CELL_API, run } from "./run.js";

interface PlaceFlags {
  readonly user?: boolean;
  readonly sysPrefix?: boolean;
  readonly prefix?: string;
}

interface InstallFlags extends PlaceFlags {
  readonly preload?: readonly string[];
  readonly name: string;
  readonly displayName?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function target(flags: PlaceFlags): Target {
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

async function install(flags: InstallFlags): Promise<void> {
  const preloads = flags.preload?.map((path) => resolve(path)) ?? configuredPreloads(process.cwd());
  const { name, displayName, env } = flags;
  const folder = installKernelspec({ target: target(flags), preloads, name, displayName, env });
  console.log(`The kernel "${name}" is registered in ${folder}`);
  for (const preload of preloads) console.log(`Its cells preload ${preload}`);
  // The first start need not wait for it; where it fails, a start makes it, or does without.
  await prepareSnapshot([CELL_API, ...preloads]);
}

function uninstall(flags: PlaceFlags & { readonly name: string }): void {
  console.log(`The kernel "${flags.name}" is no more in ${uninstallKernelspec(target(flags), flags.name)}`);
}

async function doctor(): Promise<void> {
  const { examine } = await import("./doctor.js");
  let good = true;
  for await (const finding of examine(knownPlaces(), CELL_API)) {
    good &&= finding.good;
    console.log(`${finding.good ? "ok     " : "PROBLEM"}  ${finding.text}`);
  }
  process.exit(good ? 0 : 1);
}

/**
 * Where Jupyter looks for kernels: the user's folder, the environment of the Python that is first on the path, and the one that
 * lies in this folder, active or not.
 */
function knownPlaces(): Target[] {
  const places: Target[] = [{ kind: "user" }, { kind: "prefix", prefix: ".venv" }];
  try {
    places.push({ kind: "prefix", prefix: pythonPrefix() });
  } catch {
    // Without a Python there is no Jupyter here.
  }
  return places;
}

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

/** `KEY=VALUE`, added to those before. */
function collectVariable(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Give it as KEY=VALUE.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

const program = new Command("metastate-kernel")
  .description("A TypeScript kernel for Jupyter")
  .version(String(kernelInfo()["implementation_version"]));

const inPlace = (command: Command): Command =>
  command
    .option("--user", "for this user, in every Jupyter of theirs (the default)")
    .option("--sys-prefix", "in the active Python or conda environment")
    .option("--prefix <folder>", "in the environment at this folder, as in --prefix .venv")
    .option("--name <name>", "name of the kernelspec", KERNEL_NAME);

inPlace(program.command("install"))
  .description("register the kernel with Jupyter")
  .option("--display-name <text>", "what launchers show (default: TypeScript (<name>))")
  .option(
    "--preload <module>",
    "JavaScript module whose exports are globals in cells; may be given again (default: what package.json names)",
    collect,
  )
  .option("--env <KEY=VALUE>", "environment variable of the kernel; may be given again", collectVariable)
  .action(install);
inPlace(program.command("uninstall")).description("take the kernel out of Jupyter again").action(uninstall);
program
  .command("doctor")
  .description("look whether Node.js, ZeroMQ, the kernelspec and a cell are in order")
  .action(doctor);
program
  .command("run <connection-file>")
  .description("serve one connection: Jupyter calls this")
  .option("--preload <module>", "module whose exports are globals in cells", collect)
  // `jupyter run file.ts` and `jupyter console` hand their own arguments on to the kernel.
  .allowExcessArguments()
  .allowUnknownOption()
  .action(run);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof InstallError)) throw error;
  console.error(error.message);
  process.exit(1);
}
