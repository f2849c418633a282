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
const replaced = ["reset", "runKernel", "endScope", "gradients"] as const;
type Shortcuts = Pick<Engine, (typeof replaced)[number]>;

/**
 * Gives tfjs's engine the shorter methods, once, and only where it is the tfjs that they were written for. They take the place of those
 * that all engines have, so that what somebody has put around the methods of this one stays around them.
 */
export function shortenEngine(version = version_core): void {
  const tfjs = engine() as unknown as Engine;
  if (version !== knownVersion || tfjs.state.tensorInfo instanceof TensorRecords) return;
  const prototype = Object.getPrototypeOf(tfjs) as Engine;
  const own = Object.fromEntries(replaced.map((name) => [name, Reflect.get(prototype, name)]));
  Object.assign(prototype, shortcuts(own as unknown as Shortcuts));
  keepRecordsInIds(tfjs);
}

function keepRecordsInIds({ state }: Engine): void {
  state.tensorInfo = new TensorRecords(state.tensorInfo);
}

/** The methods of an engine, from tfjs's own. */
function shortcuts(own: Shortcuts): Shortcuts & ThisType<Engine> {
  const kernelOf = kernelLookUp();
  const tensorOf = (tfjs: Engine, info: TensorInfo): Tensor =>
    (info as Tensor).rank == null ? tfjs.makeTensorFromTensorInfo(info) : (info as Tensor);

  return {
    reset() {
      own.reset.call(this);
      keepRecordsInIds(this);
    },

    runKernel(name, inputs, attributes) {
      // Reading the backend starts it when nothing did before; its name is known only then.
      const { backend, state, ENV } = this;
      const kernel = kernelOf(name, this.backendName);
      if (!kernel || state.profiling || ENV.getBool("DEBUG")) return own.runKernel.call(this, name, inputs, attributes);
      const recorded = state.gradientDepth > 0 && state.kernelDepth === 0;
      const checked = ENV.getBool("IS_TEST");
      if (checked) state.numDataMovesStack.push(0);
      let made: TensorInfo | TensorInfo[];
      let outputs: Tensor[];
      let saved: Tensor[] = [];
      state.kernelDepth++;
      try {
        const before = checked ? backend.numDataIds() : 0;
        made = kernel.kernelFunc({ inputs, attrs: attributes!, backend });
        if (checked) this.checkKernelForMemLeak(name, before, [made].flat());
        if (!recorded && !Array.isArray(made)) return tensorOf(this, made);
        outputs = Array.isArray(made) ? made.map((info) => tensorOf(this, info)) : [tensorOf(this, made)];
        if (recorded && getGradient(name)) {
          saved = this.getTensorsForGradient(name, inputs, outputs).map((tensor) => this.keep(this.clone(tensor)));
        }
      } finally {
        state.kernelDepth--;
      }
      if (recorded) this.addTapeNode(name, inputs, outputs, null, saved, attributes);
      return Array.isArray(made) ? outputs : outputs[0]!;
    },

    endScope(result) {
      const one = result instanceof Tensor ? result : undefined;
      if (!one && typeof result === "object" && result !== null) return own.endScope.call(this, result);
      const { state } = this;
      const { track, id } = state.activeScope!;
      // A tensor's end may be that of others, which are then no longer there.
      for (let i = 0; i < track.length; i++) {
        const tensor = track[i]!;
        if (!tensor.kept && tensor.id !== one?.id) tensor.dispose();
      }
      state.scopeStack.pop();
      state.activeScope = state.scopeStack.at(-1) ?? null;
      // tfjs tells a tensor's scope to itself alone.
      if (one && !one.kept && (one as unknown as { scopeId: number }).scopeId === id) this.track(one);
    },

    gradients: gradientShortcut(own.gradients),
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
