/**
 * A snapshot of the language process: V8's heap with TypeScript in it, and all declarations that no notebook changes, read and linked.
 * A process that starts from it is ready in a third of the time. It is a file in the user's cache folder, made in the
 * background where there is none; whatever goes wrong with it, the process starts without.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { createRequire } from "node:module";
import { constants, homedir, setPriority } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cachedDataVersionTag } from "node:v8";
import { makeFolder } from "../make-folder.js";
import type { LanguageOptions } from "./language.js";

/**
 * Flags of Node with which the language process runs, with a snapshot or without. Its memory is not for the notebook's
 * `NODE_OPTIONS` to decide on. V8 would give the tables of a snapshot a secret order, against those who send names that collide: here
 * there is nobody but the notebook's user, and it takes a tenth of the start.
 */
export const NODE_FLAGS = ["--no-warnings", "--max-old-space-size=4096", "--no-rehash-snapshot"];

/** Snapshots that are kept, of some 50 MB each: those used last. */
const MOST_KEPT = 4;
/** A snapshot that is being made for longer than this never will be, in milliseconds. */
const MOST_MS = 120_000;
const EXTENSION = ".snapshot";
const BUILDER = fileURLToPath(new URL("../../bin/build-snapshot.cjs", import.meta.url));
/** Leaves out V8's code of all modules of Node, 5 MB: those that the process needs are in the heap. */
const CONFIGURATION = fileURLToPath(new URL("../../bin/build-snapshot.json", import.meta.url));
/** The kernel's modules; those of `language` and what they import are in a snapshot. */
const MODULES = fileURLToPath(new URL("..", import.meta.url));

export class Snapshot {
  readonly #options: LanguageOptions;
  /** Empty, as is the path, where there is no place for it. */
  readonly #folder: string;
  readonly #path: string;
  readonly #lock: string;
  readonly #unfinished: string;
  #builder: ChildProcess | undefined;

  constructor(options: LanguageOptions) {
    this.#options = options;
    this.#folder = cacheFolder();
    this.#path = this.#folder === "" ? "" : join(this.#folder, `${fingerprint(options)}${EXTENSION}`);
    this.#lock = `${this.#path}.lock`;
    this.#unfinished = `${this.#path}.${process.pid}`;
  }

  /** The file, if there is one; it counts as used. */
  find(): string | undefined {
    if (this.#path === "") return undefined;
    try {
      const now = new Date();
      utimesSync(this.#path, now, now);
      return this.#path;
    } catch {
      return undefined;
    }
  }

  /** Removes it: no process starts from it. */
  discard(): void {
    quietly(() => {
      rmSync(this.#path, { force: true });
    });
  }

  /**
   * Makes it anew, unless another kernel is about to.
   * @param background whether all else that the machine does comes first
   * @returns whether there is one now
   */
  async build({ background = false } = {}): Promise<boolean> {
    if (this.#path === "") return false;
    try {
      // What is in it is run: it is for this user alone.
      makeFolder(this.#folder, { mode: 0o700 });
      if (!takeLock(this.#lock)) return false;
    } catch {
      return false;
    }
    try {
      await this.#run(background);
      renameSync(this.#unfinished, this.#path);
      removeOld(this.#folder);
      return true;
    } catch {
      return false;
    } finally {
      this.#tidy();
    }
  }

  #tidy(): void {
    for (const path of [this.#unfinished, this.#lock]) {
      quietly(() => {
        rmSync(path, { force: true, recursive: true });
      });
    }
  }

  #run(background: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const { globals, nodeTypes } = this.#options;
      const options = JSON.stringify({ folder: "", globals, nodeTypes } satisfies LanguageOptions);
      const args = [
        ...NODE_FLAGS,
        "--snapshot-blob",
        this.#unfinished,
        "--build-snapshot-config",
        CONFIGURATION,
        options,
      ];
      const builder = spawn(process.execPath, args, {
        // The configuration names the script that is in its folder.
        cwd: dirname(CONFIGURATION),
        stdio: "ignore",
        timeout: MOST_MS,
        windowsHide: true,
      });
      this.#builder = builder;
      builder.on("error", reject);
      builder.on("exit", (code) => {
        this.#builder = undefined;
        if (code === 0) resolve();
        else reject(new Error("no snapshot could be made"));
      });
      builder.unref();
      const { pid } = builder;
      if (background && pid !== undefined) {
        quietly(() => {
          setPriority(pid, constants.priority.PRIORITY_LOW);
        });
      }
    });
  }

  /** Gives up what is being made. */
  close(): void {
    if (this.#builder === undefined) return;
    this.#builder.kill("SIGKILL");
    this.#tidy();
  }
}

/** What a snapshot depends on, apart from the files in it, of which the process that starts from it looks whether they are the same. */
function fingerprint({ globals, nodeTypes }: LanguageOptions): string {
  const hash = createHash("sha256");
  const typescript = createRequire(import.meta.url).resolve("typescript");
  hash.update(JSON.stringify([process.version, process.arch, cachedDataVersionTag(), globals, nodeTypes]));
  for (const path of [typescript, BUILDER, CONFIGURATION, ...ownModules()]) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 32);
}

/** The kernel's modules that are in a snapshot, and a few more. */
function ownModules(): string[] {
  return [MODULES, join(MODULES, "language"), join(MODULES, "language", "commands")].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /\.c?js$/.test(name) && !name.includes(".test."))
      .sort()
      .map((name) => join(folder, name)),
  );
}

/** Empty for a user without a home. */
function cacheFolder(): string {
  const { env, platform } = process;
  try {
    const base =
      env["XDG_CACHE_HOME"] ||
      (platform === "win32"
        ? env["LOCALAPPDATA"]
        : platform === "darwin"
          ? join(homedir(), "Library", "Caches")
          : "") ||
      join(homedir(), ".cache");
    return join(base, "metastate-kernel");
  } catch {
    return "";
  }
}

/** Whether this process is the one that makes the snapshot. */
function takeLock(path: string): boolean {
  if (existsSync(path) && Date.now() - statSync(path).mtimeMs > MOST_MS) rmSync(path, { recursive: true });
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes the snapshots that were not used for longest, and what was never finished. */
function removeOld(folder: string): void {
  const files = readdirSync(folder).map((name) => {
    const path = join(folder, name);
    return { path, name, used: statSync(path).mtimeMs };
  });
  const snapshots = files.filter(({ name }) => name.endsWith(EXTENSION)).sort((a, b) => b.used - a.used);
  const unfinished = files.filter(({ name, used }) => !name.endsWith(EXTENSION) && Date.now() - used > MOST_MS);
  for (const { path } of [...snapshots.slice(MOST_KEPT), ...unfinished]) {
    quietly(() => {
      rmSync(path, { force: true, recursive: true });
    });
  }
}

function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // The next start tries again.
  }
}
