/** The engine `native`, for whoever chooses between engines at start. */
import { shortenEngine } from "./backend/engine-shortcuts.js";
import { nativeBackendName } from "./backend/name.js";
import { registerNativeBackend } from "./backend/register.js";
import { loadAddon } from "./addon/load.js";
import { nativeControls, type EngineControls } from "./engine-controls.js";
import { registerNativeKernels } from "./provider.js";

/** An engine that can be chosen at start. */
export interface EngineCandidate {
  readonly name: string;
  /** Those of higher priority are tried first; `wasm` has 100. */
  readonly priority: number;
  /** Taken only when asked for by name. */
  readonly onlyWhenAsked?: boolean;
  /** Makes the tfjs backend ready, or says why not. Never rejects. */
  start(): Promise<
    | { readonly ready: true; readonly backend: string; readonly device: string; readonly controls?: EngineControls }
    | { readonly ready: false; readonly reason: string }
  >;
}

/** The native engine: C++ on the CPU. Needs the addon; without it, says why not and what to do. */
export const nativeEngine: EngineCandidate = {
  name: nativeBackendName,
  priority: 300,
  start: () => Promise.resolve(useNativeEngine()),
};

/** Registers the backend and its kernels. */
export function useNativeEngine(): Awaited<ReturnType<EngineCandidate["start"]>> {
  const addon = loadAddon();
  if (!("binding" in addon)) return { ready: false, reason: `${addon.reason}; ${addon.remedy}` };
  shortenEngine();
  registerNativeBackend(addon.binding);
  registerNativeKernels(nativeBackendName, addon.binding);
  const { threads, simd } = addon.binding.info();
  return {
    ready: true,
    backend: nativeBackendName,
    device: `this machine's CPU, ${threads} ${threads === 1 ? "thread" : "threads"}, ${simd}`,
    controls: nativeControls(addon.binding),
  };
}
