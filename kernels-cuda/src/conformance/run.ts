/**
 * Runs the conformance suite that tfjs-core ships on an engine, and writes what came of it to a file. A process of its own:
 * the suite resets tfjs's engine, and module hooks change what is loaded.
 *
 *   node dist/conformance/run.js <file> [native | cuda | cuda-emulated | tensorflow] [words]
 *
 * With words, only the tests whose names match them, a regular expression.
 *
 * METASTATE_CONFORMANCE_LOG names a file that gets a line, JSON, for each test that begins and each that ends: what a crash
 * leaves. Tests that have begun there are left out, so that a next process does the rest. One that ends the GPU for the
 * process ends the process, with status 3.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire, register } from "node:module";

/** What came of the suite. */
export interface ConformanceResult {
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  /** Tests that the suite itself marks as pending, by name, with its reason. */
  readonly pending: readonly { readonly name: string; readonly reason: string }[];
  /** "passed", "failed" or "incomplete", as jasmine sees it. */
  readonly status: string;
  /** Kernels that ran on the CPU for want of CUDA code, with how often. */
  readonly fallbacks: Readonly<Record<string, number>>;
}

interface SpecResult {
  fullName: string;
  status: string;
  pendingReason: string;
  failedExpectations: { message: string }[];
}

/** A line of the log. */
export type ConformanceLine =
  | { readonly begun: string }
  | { readonly ended: string; readonly status: string; readonly message?: string; readonly reason?: string };

const [file, engineName = "native", words] = process.argv.slice(2);
const log = process.env["METASTATE_CONFORMANCE_LOG"] ?? "";
const before = log && existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : [];
const begunBefore = new Set(
  before.map((line) => JSON.parse(line) as ConformanceLine).flatMap((line) => ("begun" in line ? [line.begun] : [])),
);

const pattern = new RegExp(words ?? "");
/** Whether a test is to run, by its whole name. */
const isWanted = (name: string): boolean => pattern.test(name) && !begunBefore.has(name);

function note(line: ConformanceLine): void {
  if (log) appendFileSync(log, `${JSON.stringify(line)}\n`);
}

const require = createRequire(import.meta.url);
// The suite's own helper calls `require`, for the bundler to replace.
(globalThis as { require?: NodeJS.Require }).require = require;
register(new URL("./resolve-hooks.js", import.meta.url));

const { boot } = require("jasmine-core") as { boot: () => JasmineLike };

interface JasmineLike {
  DEFAULT_TIMEOUT_INTERVAL: number;
  getEnv(): {
    configure(options: object): void;
    addReporter(reporter: object): void;
    execute(): Promise<{ overallStatus: string }>;
  };
}

const jasmine = boot();
const suite = jasmine.getEnv();
suite.configure({ random: false });
const failures: { name: string; message: string }[] = [];
const pending: { name: string; reason: string }[] = [];
let passed = 0;
suite.addReporter({
  specStarted({ fullName: begun }: SpecResult) {
    if (isWanted(begun)) note({ begun });
  },
  specDone(result: SpecResult) {
    const { fullName: name, status, pendingReason: reason } = result;
    const message = result.failedExpectations.map(({ message }) => message).join("\n");
    if (isWanted(name)) note({ ended: name, status, ...(message && { message }), ...(reason && { reason }) });
    if (log && message.includes("The GPU cannot be used in this process any more")) process.exit(3);
    if (status === "passed") passed++;
    else if (status === "failed") {
      failures.push({ name, message });
    } else if (status === "pending") pending.push({ name, reason: result.pendingReason });
  },
  suiteDone(result: SpecResult) {
    for (const { message } of result.failedExpectations) failures.push({ name: result.fullName, message });
  },
});

const backendName = engineName.replace("-emulated", "");
const { nativeEngine, cudaEngine, cudaEmulatedEngine, tensorflowEngine, hostFallbacks } = await import("../index.js");
const engine = [nativeEngine, cudaEngine, cudaEmulatedEngine, tensorflowEngine].find(({ name }) => name === engineName);
if (!engine) throw new Error(`no engine is called "${engineName}"`);
const started = await engine.start();
if (!started.ready) throw new Error(started.reason);
// Every kernel that has no CUDA code would be told here.
console.warn = () => {};
suite.configure({ specFilter: (spec: { getFullName(): string }) => isWanted(spec.getFullName()) });

const core = "@tensorflow/tfjs-core/dist/";
await import(`${core}public/chained_ops/register_all_chained_ops.js`);
await import(`${core}register_all_gradients.js`);
const { setTestEnvs } = (await import(`${core}jasmine_util.js`)) as { setTestEnvs: (environments: object[]) => void };
setTestEnvs([{ name: backendName, backendName, isDataSync: true }]);
await import(`${core}tests.js`);
const { overallStatus } = await suite.execute();
const fallbacks = Object.fromEntries(hostFallbacks);
const outcome: ConformanceResult = { passed, failures, pending, status: overallStatus, fallbacks };
writeFileSync(file!, JSON.stringify(outcome));
process.exit(0);
