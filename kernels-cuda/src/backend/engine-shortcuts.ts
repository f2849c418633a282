/**
 * tfjs's engine with less around each op. Its own methods can do all that an op may ask for, profiles, debugging, results of any form,
 * and every op pays for that: its kernel is looked up twice, by a name that is put together each time; closures, sets and lists are made
 * for one tensor. Here are the same methods for what is common; anything else goes to tfjs's own.
 */
import { engine, getGradient, getKernel, Tensor, version_core } from "@tensorflow/tfjs-core";
import type { KernelConfig, TensorInfo } from "@tensorflow/tfjs-core";
import type { Engine } from "./engine-internals.js";
import { gradientShortcut } from "./gradient-shortcut.js";
import { TensorRecords } from "./tensor-id.js";

/** The tfjs whose methods these stand for. */
const knownVersion = "4.22.0";

/** The methods that are replaced. */
type Shortcuts = Pick<Engine, "reset" | "runKernel" | "endScope" | "gradients">;

/** Gives tfjs's engine the shorter methods, once, and only where it is the tfjs that they were written for. */
export function shortenEngine(version = version_core): void {
  const tfjs = engine() as unknown as Engine;
  if (version !== knownVersion || tfjs.state.tensorInfo instanceof TensorRecords) return;
  Object.assign(tfjs, shortcuts(tfjs));
  keepRecordsInIds(tfjs);
}

function keepRecordsInIds({ state }: Engine): void {
  state.tensorInfo = new TensorRecords(state.tensorInfo);
}

/** The methods for an engine, on which tfjs's own are found now. */
function shortcuts(tfjs: Engine): Shortcuts {
  const own: Shortcuts = {
    reset: tfjs.reset.bind(tfjs),
    runKernel: tfjs.runKernel.bind(tfjs),
    endScope: tfjs.endScope.bind(tfjs),
    gradients: tfjs.gradients.bind(tfjs),
  };
  const kernelOf = kernelLookUp();
  const tensorOf = (info: TensorInfo): Tensor =>
    (info as Tensor).rank == null ? tfjs.makeTensorFromTensorInfo(info) : (info as Tensor);

  return {
    reset() {
      own.reset();
      keepRecordsInIds(tfjs);
    },

    runKernel(name, inputs, attributes) {
      // Reading the backend starts it when nothing did before; its name is known only then.
      const { backend, state, ENV } = tfjs;
      const kernel = kernelOf(name, tfjs.backendName);
      if (!kernel || state.profiling || ENV.getBool("DEBUG")) return own.runKernel(name, inputs, attributes);
      const recorded = state.gradientDepth > 0 && state.kernelDepth === 0;
      const checked = ENV.getBool("IS_TEST");
      if (checked) state.numDataMovesStack.push(0);
      let made: TensorInfo | TensorInfo[];
      let outputs: Tensor[];
      let saved: Tensor[] = [];
      state.kernelDepth++;
      try {
        const before = checked ? backend.numDataIds() : 0;
        made = kernel.kernelFunc({ inputs, attrs: attributes, backend });
        if (checked) tfjs.checkKernelForMemLeak(name, before, [made].flat());
        if (!recorded && !Array.isArray(made)) return tensorOf(made);
        outputs = Array.isArray(made) ? made.map(tensorOf) : [tensorOf(made)];
        if (recorded && getGradient(name)) {
          saved = tfjs.getTensorsForGradient(name, inputs, outputs).map((tensor) => tfjs.keep(tfjs.clone(tensor)));
        }
      } finally {
        state.kernelDepth--;
      }
      if (recorded) tfjs.addTapeNode(name, inputs, outputs, null, saved, attributes);
      return Array.isArray(made) ? outputs : outputs[0]!;
    },

    endScope(result) {
      const one = result instanceof Tensor ? result : undefined;
      if (!one && typeof result === "object" && result !== null) return own.endScope(result);
      const { state } = tfjs;
      const { track, id } = state.activeScope!;
      // A tensor's end may be that of others, which are then no longer there.
      for (let i = 0; i < track.length; i++) {
        const tensor = track[i]!;
        if (!tensor.kept && tensor.id !== one?.id) tensor.dispose();
      }
      state.scopeStack.pop();
      state.activeScope = state.scopeStack.at(-1) ?? null;
      // tfjs tells a tensor's scope to itself alone.
      if (one && !one.kept && (one as unknown as { scopeId: number }).scopeId === id) tfjs.track(one);
    },

    gradients: gradientShortcut(tfjs),
  };
}

/**
 * tfjs's look-up of kernels. Its own puts the name under which a kernel is registered together anew each time; here that is kept, where
 * the registry is found: what it has under the name is always asked for, since kernels may be replaced.
 */
function kernelLookUp(): (name: string, backend: string) => KernelConfig | undefined {
  const { _tfGlobals: globals } = globalThis as { _tfGlobals?: ReadonlyMap<string, unknown> };
  const registry = globals?.get("kernelRegistry") as ReadonlyMap<string, KernelConfig> | undefined;
  if (!(registry instanceof Map)) return getKernel;
  const keys = new Map<string, string>();
  let of = "";
  return (name, backend) => {
    if (backend !== of) {
      keys.clear();
      of = backend;
    }
    let key = keys.get(name);
    if (key === undefined) {
      // V8 compares a string that is put together part by part, one that is a member's name at once.
      [key] = Object.keys({ [`${backend}_${name}`]: true }) as [string];
      keys.set(name, key);
    }
    return registry.get(key) as KernelConfig | undefined;
  };
}
