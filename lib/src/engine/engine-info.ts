/** What runs: the engine that was chosen, what it can be asked, and why the others were not chosen. */
import * as tf from "@tensorflow/tfjs-core";

import { escapeHtml, jupyterDisplay, Shown, textTable, type MimeBundle } from "../display.js";
import { ConfigurationError } from "../errors.js";
import { libraryVersion } from "../version.js";
import type { EngineControls, EngineMemory, EnginePeak, Precision } from "./controls.js";
import { measureThroughTfjs } from "./peak.js";

/** Fast kernels of one provider. */
export interface ProvidedKernels {
  readonly provider: string;
  readonly names: readonly string[];
  readonly detail: string;
}

/** What runs. Memory and precision are those of the moment at which they are asked for. */
export class EngineInfo extends Shown {
  readonly #controls: EngineControls;
  readonly #peaks = new Map<Precision, Promise<EnginePeak>>();

  /** @internal Made by `startEngine`. */
  constructor(
    /** the engine's name */
    readonly name: string,
    /** the tfjs backend it runs on */
    readonly backend: string,
    /** the device in words */
    readonly device: string,
    /** fast kernels by provider */
    readonly kernels: readonly ProvidedKernels[],
    /** engines and providers that are not in use, and why */
    readonly unavailable: readonly { readonly name: string; readonly reason: string }[],
    controls: EngineControls = {},
  ) {
    super();
    this.#controls = controls;
  }

  /** How matrix products are computed now; {@link setPrecision} changes it. */
  get precision(): Precision {
    return this.#controls.precision?.get() ?? "float32";
  }

  /** The precisions that this engine can compute matrix products in. */
  get precisions(): readonly Precision[] {
    return this.#controls.precision?.choices ?? ["float32"];
  }

  /**
   * Chooses how matrix products are computed from the next one on.
   *
   * @throws ConfigurationError when this engine cannot, naming what it can
   */
  setPrecision(precision: Precision): void {
    if (!this.precisions.includes(precision)) {
      throw new ConfigurationError(
        `precision "${precision}" cannot be had from engine "${this.name}" on this device, wanted ` +
          `${this.precisions.map((choice) => `"${choice}"`).join(" or ")}`,
      );
    }
    this.#controls.precision?.set(precision);
  }

  /** Bytes that tensors hold now, and what could still be had. */
  memory(): EngineMemory {
    return this.#controls.memory?.() ?? { used: tf.memory().numBytes, free: process.availableMemory() };
  }

  /** Versions by name: of this library, tfjs, Node.js, and of what the engine is made of. */
  versions(): Readonly<Record<string, string>> {
    return {
      metastate: libraryVersion(),
      tfjs: tf.version_core,
      "Node.js": process.versions.node,
      ...this.#controls.versions?.(),
    };
  }

  /** Threads that kernels run on; undefined when the engine does not say. */
  get threads(): number | undefined {
    return this.#controls.threads?.();
  }

  /**
   * What the device can do, measured on the first call and for each precision anew: within a second. Engines that do not
   * measure themselves are measured through tfjs: the fastest product, and the fastest addition of long arrays.
   */
  peak(): Promise<EnginePeak> {
    const { precision } = this;
    let peak = this.#peaks.get(precision);
    if (!peak) {
      peak = this.#controls.peak?.() ?? measureThroughTfjs();
      this.#peaks.set(precision, peak);
      // A measurement that failed may be made again.
      peak.catch(() => this.#peaks.delete(precision));
    }
    return peak;
  }

  /** Whether kernels go on after tfjs has returned from them, so that only {@link synchronize} or a read waits for them. */
  get asynchronous(): boolean {
    return this.#controls.synchronize !== undefined;
  }

  /** Ends when every kernel that was launched has ended. */
  async synchronize(): Promise<void> {
    await this.#controls.synchronize?.();
  }

  #rows(): Row[] {
    const { threads, precisions } = this;
    const inUse = tf.getBackend() as string | undefined;
    const left = inUse !== this.backend && tf.findBackendFactory(this.backend) !== undefined;
    return [
      ["engine", this.name],
      ["backend", this.backend],
      ...(left
        ? [
            [
              "in use now",
              `${inUse}, by tf.setBackend; tf.setBackend("${this.backend}") goes back to the engine`,
            ] as const,
          ]
        : []),
      ["device", this.device],
      ...(threads === undefined ? [] : [["threads", `${threads}`] as const]),
      ["memory", memoryInWords(this.memory())],
      ["precision", `${this.precision}${precisions.length > 1 ? ` (of ${precisions.join(", ")})` : ""}`],
      [
        "versions",
        Object.entries(this.versions())
          .map(([name, version]) => `${name} ${version}`)
          .join(", "),
      ],
      ...this.kernels.map(({ provider, names, detail }): Row => {
        return [provider, `${names.length} ${names.length === 1 ? "kernel" : "kernels"} (${detail})`, names];
      }),
      ...this.unavailable.map(({ name, reason }) => [`${name}: not in use`, reason] as const),
    ];
  }

  /** A table; of the kernels, their number and the first few. */
  override toString(): string {
    return textTable(
      this.#rows().map(([head, text, names = []]) => [head, `${text}${names.length > 0 ? `: ${few(names)}` : ""}`]),
    );
  }

  [jupyterDisplay](): MimeBundle {
    const lines = this.#rows().map(([head, text, names]) => {
      const cell = names
        ? `<details><summary>${escapeHtml(text)}</summary>${escapeHtml(names.join(", "))}</details>`
        : escapeHtml(text);
      return `<tr><th style="text-align:left;vertical-align:top">${escapeHtml(head)}</th><td style="text-align:left">${cell}</td></tr>`;
    });
    return { "text/html": `<table><tbody>${lines.join("")}</tbody></table>`, "text/plain": this.toString() };
  }
}

/** A line of the table; names are folded away. */
type Row = readonly [head: string, text: string, names?: readonly string[]];

function few(names: readonly string[], shown = 6): string {
  return names.length > shown
    ? `${names.slice(0, shown).join(", ")} and ${names.length - shown} more`
    : names.join(", ");
}

function memoryInWords({ used, reserved, free, total }: EngineMemory): string {
  const parts = [`${bytesInWords(used)} used`];
  if (reserved !== undefined) parts.push(`${bytesInWords(reserved)} kept for reuse`);
  if (free !== undefined) parts.push(`${bytesInWords(free)} free`);
  return `${parts.join(", ")}${total === undefined ? "" : ` of ${bytesInWords(total)}`}`;
}

/** A number of bytes as people say it, in powers of 1024. */
export function bytesInWords(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[power]}`;
}
