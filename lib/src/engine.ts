/**
 * Which tensor engine runs, and why. Engines and kernel providers register themselves; {@link startEngine} takes the one
 * of highest priority that can run, adds fast kernels to it, and says so in a line or two. The library brings `wasm` and
 * `cpu`; kernel packages bring theirs, and neither knows the other.
 */
import * as tf from "@tensorflow/tfjs-core";
import { version_cpu } from "@tensorflow/tfjs-backend-cpu";
import { setThreadsCount } from "@tensorflow/tfjs-backend-wasm";

import { expectOptions } from "./arguments.js";
import { checkNumerics } from "./engine/check-numerics.js";
import { precisions, type EngineControls, type Precision } from "./engine/controls.js";
import { EngineInfo } from "./engine/engine-info.js";
import { ConfigurationError } from "./errors.js";
import { registerEinsum } from "./ops/einsum/einsum.js";
import { silenceCpu } from "./silence-cpu.js";
import { shareClonesOnWasm } from "./wasm-identity.js";

/** An engine that may be chosen at start. Never throws: says why it cannot run. */
export interface EngineCandidate {
  /** `cuda`, `native`, `tensorflow`, `wasm`, `cpu`, … */
  readonly name: string;
  /** tried in descending order: cuda 400, native 300, tensorflow 200, wasm 100, cpu 0 */
  readonly priority: number;
  /** taken only when asked for by name */
  readonly onlyWhenAsked?: boolean;
  /** makes the tfjs backend of that name ready */
  start(): Promise<EngineStart>;
}

/** Whether an engine started: its tfjs backend, the device in words, and what it may be asked; or the reason why not. */
export type EngineStart =
  | { readonly ready: true; readonly backend: string; readonly device: string; readonly controls?: EngineControls }
  | { readonly ready: false; readonly reason: string };

/** Fast kernels that are added to whichever backend was chosen. */
export interface KernelProvider {
  /** what messages call it */
  readonly name: string;
  /** Adds kernels to this tfjs backend. Never throws: says why it has none. */
  register(backend: string): Promise<KernelRegistration>;
}

/** Which kernels a provider registered, and on what they run; or none, and why. */
export type KernelRegistration =
  | { readonly kernels: readonly string[]; readonly detail: string }
  | { readonly kernels: readonly []; readonly reason: string };

/** Options of {@link startEngine}. */
export interface StartEngineOptions {
  /** the engine wanted, by name; before the environment variable `METASTATE_BACKEND`. Default the best that can run */
  backend?: string;
  /** how matrix products are computed; comes before the environment variable `METASTATE_PRECISION`; default `float32` */
  precision?: Precision;
  /** where the choice is told, in a line or two; default: standard error */
  log?: (line: string) => void;
}

const candidates = new Map<string, EngineCandidate>();
const providers = new Map<string, KernelProvider>();
let started: Promise<EngineInfo> | undefined;
let current: EngineInfo | undefined;

/** Adds an engine, or replaces the one of its name. Has an effect before {@link startEngine} only. */
export function registerEngine(candidate: EngineCandidate): void {
  candidates.set(candidate.name, candidate);
}

/** Adds a provider of kernels, or replaces the one of its name. Has an effect before {@link startEngine} only. */
export function registerKernels(provider: KernelProvider): void {
  providers.set(provider.name, provider);
}

/**
 * Chooses and starts the engine, once: later calls give the same answer.
 *
 * With `METASTATE_CHECK_NUMERICS=1` in the environment, {@link checkNumerics} begins here. A precision that the engine does not have is told among what is not in use, and `float32` is computed.
 *
 * @throws ConfigurationError when an engine asked for by name is unknown or cannot run, naming those that can; or when
 *   there is no such precision
 */
export function startEngine(options: StartEngineOptions = {}): Promise<EngineInfo> {
  started ??= choose(options).catch((error: unknown) => {
    // A choice that failed may be made again, with another name.
    started = undefined;
    throw error;
  });
  return started;
}

/**
 * What runs. Displays itself as a table. A notebook's session starts an engine by itself.
 *
 * @throws Error before {@link startEngine} has finished
 *
 * @example
 * ```ts
 * await ms.startEngine();
 * ms.engine();
 * ```
 */
export function engine(): EngineInfo {
  if (!current) throw new Error("no engine runs yet: await startEngine() first");
  return current;
}

/** What runs, for what works with any tfjs backend: the engine that was started, or the backend that tfjs has by itself. */
export function engineInUse(): EngineInfo {
  const backend = tf.getBackend();
  return current?.backend === backend
    ? current
    : new EngineInfo(backend, backend, `the tfjs backend ${backend}`, [], []);
}

/**
 * Chooses how matrix products are computed from the next one on: `float32`, or faster and less exact `tf32` (CUDA) and
 * `bfloat16` where the engine has them. Tensors stay float32.
 *
 * @throws ConfigurationError when the engine that runs cannot, naming what it can; Error before {@link startEngine} has
 *   finished
 */
export function setPrecision(precision: Precision): void {
  engine().setPrecision(precision);
}

async function choose(options: StartEngineOptions): Promise<EngineInfo> {
  expectOptions("startEngine", options, { backend: true, precision: true, log: true });
  const {
    backend: asked = process.env.METASTATE_BACKEND || undefined,
    precision = (process.env.METASTATE_PRECISION || undefined) as Precision | undefined,
    log = (line: string) => console.error(line),
  } = options;
  const unavailable: { name: string; reason: string }[] = [];
  const order = [...candidates.values()].sort((a, b) => b.priority - a.priority);
  if (asked !== undefined && !candidates.has(asked)) {
    throw new ConfigurationError(
      `engine "${asked}" is unknown, wanted one of ${order.map(({ name }) => name).join(", ")}: ` +
        `set METASTATE_BACKEND to one of these or leave it out`,
    );
  }
  if (precision !== undefined && !precisions.includes(precision)) {
    throw new ConfigurationError(
      `precision "${String(precision)}" is unknown, wanted one of ${precisions.join(", ")}: ` +
        `set METASTATE_PRECISION to one of these or leave it out`,
    );
  }
  for (const candidate of order) {
    if (asked === undefined ? candidate.onlyWhenAsked : candidate.name !== asked) continue;
    const result = await tryStart(candidate);
    if (!result.ready) {
      unavailable.push({ name: candidate.name, reason: result.reason });
      continue;
    }
    // TensorFlow's own is right.
    if (result.backend !== "tensorflow") registerEinsum(result.backend);
    const kernels = await addKernels(result.backend, unavailable);
    current = new EngineInfo(candidate.name, result.backend, result.device, kernels, unavailable, result.controls);
    usePrecision(current, precision, unavailable);
    if (!["", "0", undefined].includes(process.env.METASTATE_CHECK_NUMERICS)) {
      checkNumerics();
      log("every result is checked for NaN and infinity, which is slow (METASTATE_CHECK_NUMERICS)");
    }
    tell(current, asked !== undefined, log);
    return current;
  }
  const reasons = unavailable.map(({ name, reason }) => `${name}: ${reason}`).join("; ");
  throw new ConfigurationError(
    asked === undefined ? `no engine can run (${reasons})` : `engine "${asked}" cannot run (${reasons})`,
  );
}

async function tryStart(candidate: EngineCandidate): Promise<EngineStart> {
  try {
    const result = await candidate.start();
    if (result.ready && tf.getBackend() !== result.backend && !(await tf.setBackend(result.backend))) {
      return { ready: false, reason: `the tfjs backend "${result.backend}" did not start` };
    }
    return result;
  } catch (error) {
    // An engine that breaks its promise not to throw must not keep the others from running.
    return { ready: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function addKernels(
  backend: string,
  unavailable: { name: string; reason: string }[],
): Promise<EngineInfo["kernels"]> {
  const added: { provider: string; names: readonly string[]; detail: string }[] = [];
  for (const provider of providers.values()) {
    try {
      const result = await provider.register(backend);
      if ("detail" in result) added.push({ provider: provider.name, names: result.kernels, detail: result.detail });
      else unavailable.push({ name: provider.name, reason: result.reason });
    } catch (error) {
      unavailable.push({ name: provider.name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return added;
}

/** What was asked for may be wanted of another machine's engine: it keeps nothing from running here. */
function usePrecision(
  info: EngineInfo,
  precision: Precision | undefined,
  unavailable: { name: string; reason: string }[],
): void {
  if (precision === undefined) return;
  try {
    info.setPrecision(precision);
  } catch (error) {
    unavailable.push({
      name: `precision ${precision}`,
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}

function tell(info: EngineInfo, asked: boolean, log: (line: string) => void): void {
  const fast = info.kernels.map(({ provider, detail }) => `, with ${provider} (${detail})`).join("");
  log(`metastate runs on ${info.name}: ${info.device}${fast}${asked ? ", as asked for" : ""}`);
  if (info.unavailable.length > 0) {
    log(`not in use: ${info.unavailable.map(({ name, reason }) => `${name} (${reason})`).join("; ")}`);
  }
}

/** A backend of tfjs itself. */
function tfjsEngine(name: string, priority: number, device: string): EngineCandidate {
  return {
    name,
    priority,
    async start() {
      if (await tf.setBackend(name)) return { ready: true, backend: name, device };
      return { ready: false, reason: `the tfjs backend "${name}" did not start` };
    },
  };
}

silenceCpu();
// In Node the wasm backend has no threads; asked for, it would look for a browser's workers.
setThreadsCount(1);
shareClonesOnWasm();
// A program may set the backend without startEngine.
for (const backend of ["cpu", "wasm"]) registerEinsum(backend);
registerEngine(tfjsEngine("wasm", 100, "WebAssembly, one thread"));
registerEngine(tfjsEngine("cpu", 0, `plain JavaScript (tfjs-backend-cpu ${version_cpu})`));
