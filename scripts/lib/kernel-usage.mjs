// @ts-check
// What CUDA kernels take of a multiprocessor, as ptxas and the PTX tell it, and what of that no launch could have.

/** Of a multiprocessor of every GPU that is meant. */
const mostRegisters = 65536;
/** Of shared memory that a kernel declares; and of one that is given more at its launch (cuda/platform.h). */
const mostShared = 48 * 1024;
const mostSharedBesides = 16 * 1024;
/** Threads of a block of a kernel without __launch_bounds__: none is launched with more. */
const threadsWithoutBounds = 256;

/**
 * @typedef {object} KernelUsage
 * @property {string} name as the linker knows it
 * @property {number} registers of a thread
 * @property {number} spilled bytes of a thread that registers had no room for
 * @property {number} shared bytes that a block has, without those given at the launch
 * @property {number} threads of a block at most
 * @property {boolean} asksForShared whether its launch gives it shared memory
 */

/**
 * The kernels of a file.
 *
 * @param {string} said what `ptxas -v` says
 * @param {string} ptx
 * @returns {KernelUsage[]}
 */
export function kernelUsage(said, ptx) {
  const given = [...ptx.matchAll(/^\.extern \.shared .*?(\w+)\[\];/gm)].map(([, name]) => name ?? "");
  /** @type {Map<string, {threads: number, asksForShared: boolean}>} */
  const declared = new Map();
  for (const [, name = "", body = ""] of ptx.matchAll(/^(?:\.visible |\.weak )?\.entry (\w+)\(([^]*?)^}/gm)) {
    const bounds = /^\.maxntid (.*)$/m.exec(body)?.[1]?.split(",").map(Number);
    declared.set(name, {
      threads: bounds?.reduce((product, length) => product * length, 1) ?? threadsWithoutBounds,
      asksForShared: given.some((variable) => new RegExp(`\\b${variable}\\b`).test(body)),
    });
  }
  const kernels = [];
  for (const part of said.split("Compiling entry function '").slice(1)) {
    const name = part.slice(0, part.indexOf("'"));
    const number = (/** @type {RegExp} */ pattern) => Number(pattern.exec(part)?.[1] ?? 0);
    kernels.push({
      name,
      registers: number(/Used (\d+) registers/),
      spilled: number(/(\d+) bytes spill stores/),
      shared: number(/(\d+) bytes smem/),
      ...(declared.get(name) ?? { threads: threadsWithoutBounds, asksForShared: false }),
    });
  }
  return kernels;
}

/**
 * Why a kernel could not be launched, in words; undefined when it can be.
 *
 * @param {KernelUsage} usage
 */
export function beyondLimits({ registers, threads, shared, asksForShared }) {
  // Registers are given out to a warp, for eight of a thread at a time.
  const wanted = Math.ceil(registers / 8) * 8 * Math.ceil(threads / 32) * 32;
  if (wanted > mostRegisters) return `${threads} threads want ${wanted} registers; there are ${mostRegisters}`;
  const most = asksForShared ? mostSharedBesides : mostShared;
  if (shared <= most) return undefined;
  return `it declares ${shared} bytes of shared memory; ${most} are allowed${asksForShared ? " beside those of its launch" : ""}`;
}
