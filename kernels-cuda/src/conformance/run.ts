/**
 * Runs the conformance suite that tfjs-core ships on the backend `native`, and writes what came of it to the file that is
 * the first argument. A process of its own: the suite resets tfjs's engine, and module hooks change what is loaded.
 */
import { writeFileSync } from "node:fs";
import { createRequire, register } from "node:module";

/** What came of the suite. */
export interface ConformanceResult {
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  /** Tests that the suite itself marks as pending, by name, with its reason. */
  readonly pending: readonly { readonly name: string; readonly reason: string }[];
  /** "passed", "failed" or "incomplete", as jasmine sees it. */
  readonly status: string;
}

interface SpecResult {
  fullName: string;
  status: string;
  pendingReason: string;
  failedExpectations: { message: string }[];
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
  specDone(result: SpecResult) {
    const { fullName: name, status } = result;
    if (status === "passed") passed++;
    else if (status === "failed") {
      failures.push({ name, message: result.failedExpectations.map(({ message }) => message).join("\n") });
    } else if (status === "pending") pending.push({ name, reason: result.pendingReason });
  },
  suiteDone(result: SpecResult) {
    for (const { message } of result.failedExpectations) failures.push({ name: result.fullName, message });
  },
});

const { useNativeEngine } = (await import("../engine-candidate.js")) as { useNativeEngine: () => unknown };
useNativeEngine();
const core = "@tensorflow/tfjs-core/dist/";
await import(`${core}public/chained_ops/register_all_chained_ops.js`);
await import(`${core}register_all_gradients.js`);
const { setTestEnvs } = (await import(`${core}jasmine_util.js`)) as { setTestEnvs: (environments: object[]) => void };
setTestEnvs([{ name: "native", backendName: "native", isDataSync: true }]);
await import(`${core}tests.js`);
const { overallStatus } = await suite.execute();
const outcome: ConformanceResult = { passed, failures, pending, status: overallStatus };
writeFileSync(process.argv[2]!, JSON.stringify(outcome));
process.exit(0);
