/** What a profile found: a row an op, as a table, a plot and a roofline. */
import { escapeHtml, jupyterDisplay, Shown, textTable, type MimeBundle } from "../display.js";
import type { EnginePeak, Precision } from "../engine/controls.js";
import { bytesInWords } from "../engine/engine-info.js";
import type { Figure } from "../plots/figure.js";
import { opTimes } from "../plots/op-times.js";
import { roofline } from "../plots/roofline.js";
import type { RecordedOp, Recording } from "./recording.js";

/** One op of a profile. */
export interface ProfileRow {
  /** its kernel's name, e.g. `BatchMatMul` */
  readonly op: string;
  /** the op that it was a part of, when that is put together from others on this backend */
  readonly within: string | null;
  readonly calls: number;
  /** of all calls, without the ops that it is put together from */
  readonly milliseconds: number;
  /** of the profile's whole time, 0 to 1 */
  readonly share: number;
  /** of a call */
  readonly meanMilliseconds: number;
  /** floating-point operations of all calls; undefined when a count is not known */
  readonly flops: number | undefined;
  /** bytes that memory had to move at least, in all calls */
  readonly bytes: number;
  /** arithmetic done, 10⁹ operations a second; undefined when it is not known, or there is none */
  readonly gflops: number | undefined;
  /** memory moved, 10⁹ bytes a second; undefined for an op that only renames */
  readonly gigabytesPerSecond: number | undefined;
  /**
   * what this is of the measured peak, of arithmetic or of memory, whichever is more: what the roofline lets an op have, 1 is
   * all. Above 1 for what fits in caches. Of an op whose arithmetic is not counted, what it is of memory's peak
   */
  readonly ofPeak: number | undefined;
}

interface Findings<T> {
  readonly result: T;
  readonly recording: Recording;
  readonly milliseconds: number;
  readonly peak: EnginePeak | undefined;
  readonly engine: string;
  readonly precision: Precision;
}

/** Where the time went. Shows itself as a table. */
export class Profile<T = unknown> extends Shown {
  /** what the function gave */
  readonly result: T;
  /** ops, the costliest first */
  readonly rows: readonly ProfileRow[];
  /** the whole time, milliseconds */
  readonly milliseconds: number;
  /** of it, outside kernels: JavaScript, tfjs, waiting */
  readonly outside: number;
  /** of it, what profiling itself took */
  readonly overhead: number;
  /** most bytes that tensors held after a kernel */
  readonly mostBytes: number;
  /** what the machine can do; undefined when it was not asked for */
  readonly peak: EnginePeak | undefined;
  /** the engine's name */
  readonly engine: string;
  /** of matrix products */
  readonly precision: Precision;

  /** @hidden Made by `profile`. */
  constructor({ result, recording, milliseconds, peak, engine, precision }: Findings<T>) {
    super();
    this.result = result;
    this.milliseconds = milliseconds;
    this.overhead = recording.overhead;
    this.mostBytes = recording.mostBytes;
    this.peak = peak;
    this.engine = engine;
    this.precision = precision;
    this.rows = [...recording.ops.values()]
      .map((op) => row(op, milliseconds, peak))
      .sort((a, b) => b.milliseconds - a.milliseconds);
    const inside = this.rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    // Kernels that ran on a device while JavaScript went on may take longer than the rest leaves.
    this.outside = Math.max(0, milliseconds - inside - this.overhead);
  }

  /** Time by op as bars. */
  plot(): Figure {
    return opTimes(this);
  }

  /**
   * The ops under the machine's roofs.
   *
   * @throws ConfigurationError when the profile was made without a peak
   */
  roofline(): Figure {
    return roofline(this);
  }

  /** One line on the whole. */
  get summary(): string {
    const { milliseconds, outside, overhead, mostBytes, peak, engine, precision } = this;
    const calls = this.rows.reduce((sum, { calls }) => sum + calls, 0);
    return [
      `${time(milliseconds)} on ${engine} (${precision}), ${calls} kernels`,
      `${time(outside)} outside kernels (${percent(outside / milliseconds)})`,
      `${time(overhead)} for the profile itself`,
      `at most ${bytesInWords(mostBytes)} of tensors`,
      ...(peak ? [`peak ${digits(peak.gflops)} GFLOP/s, ${digits(peak.gigabytesPerSecond)} GB/s`] : []),
    ].join("; ");
  }

  /** Summary and table. */
  override toString(): string {
    return `${this.summary}\n\n${textTable([head, ...this.#lines().map(({ texts }) => texts)])}`;
  }

  /** The table: of many ops, the costliest and the rest together. */
  #lines(): { texts: string[]; share: number }[] {
    const shown = this.rows.length > SHOWN + 1 ? SHOWN : this.rows.length;
    const lines = this.rows.slice(0, shown).map((row) => ({ texts: cells(row), share: row.share }));
    const rest = this.rows.slice(shown);
    if (rest.length > 0) {
      const sum = (of: "calls" | "milliseconds" | "share"): number => rest.reduce((all, row) => all + row[of], 0);
      const texts = [`${rest.length} others`, `${sum("calls")}`, time(sum("milliseconds")), percent(sum("share"))];
      lines.push({ texts: [...texts, ...head.slice(texts.length).map(() => "")], share: sum("share") });
    }
    return lines;
  }

  /** Everything but `result`. */
  toJSON(): Omit<Profile, "result" | "plot" | "roofline" | "toJSON" | keyof Shown> {
    const { rows, milliseconds, outside, overhead, mostBytes, peak, engine, precision, summary } = this;
    return { rows, milliseconds, outside, overhead, mostBytes, peak, engine, precision, summary };
  }

  [jupyterDisplay](): MimeBundle {
    const line = (texts: readonly string[], tag: "th" | "td", share?: number): string =>
      `<tr>${texts.map((text, i) => cell(text, tag, i, share)).join("")}</tr>`;
    const body = this.#lines()
      .map(({ texts, share }) => line(texts, "td", share))
      .join("");
    const table = `<table><thead>${line(head, "th")}</thead><tbody>${body}</tbody></table>`;
    return { "text/html": `<p>${escapeHtml(this.summary)}</p>${table}`, "text/plain": this.toString() };
  }
}

function row(op: RecordedOp, total: number, peak: EnginePeak | undefined): ProfileRow {
  const { milliseconds, partMilliseconds, flops, bytes } = op;
  // The work of an op that others make up is done by those: its rates are those of the whole.
  const seconds = (milliseconds + partMilliseconds) / 1e3;
  const rate = (amount: number | undefined): number | undefined =>
    amount && seconds > 0 ? amount / seconds / 1e9 : undefined;
  const gflops = rate(flops);
  const gigabytesPerSecond = rate(bytes);
  const portions = peak
    ? [(gflops ?? 0) / peak.gflops, (gigabytesPerSecond ?? 0) / peak.gigabytesPerSecond].filter(
        (portion) => portion > 0,
      )
    : [];
  return {
    op: op.op,
    within: op.within,
    calls: op.calls,
    milliseconds,
    share: total > 0 ? milliseconds / total : 0,
    meanMilliseconds: milliseconds / op.calls,
    flops,
    bytes,
    gflops,
    gigabytesPerSecond,
    ofPeak: portions.length === 0 ? undefined : Math.max(...portions),
  };
}

/** Rows that a table shows; `rows` has them all. */
const SHOWN = 24;

const head = ["op", "calls", "time", "share", "a call", "GFLOP/s", "GB/s", "of peak"];

function cells(row: ProfileRow): string[] {
  const { op, within, calls, milliseconds, share, meanMilliseconds, gflops, gigabytesPerSecond, ofPeak } = row;
  const or = (value: number | undefined, say: (value: number) => string): string =>
    value === undefined ? "–" : say(value);
  return [
    within === null ? op : `${op} (in ${within})`,
    `${calls}`,
    time(milliseconds),
    percent(share),
    time(meanMilliseconds),
    or(gflops, digits),
    or(gigabytesPerSecond, digits),
    or(ofPeak, percent),
  ];
}

/** Numbers stand to the right; the share is a bar too. */
function cell(text: string, tag: "th" | "td", column: number, share?: number): string {
  const align = `text-align:${column === 0 ? "left" : "right"}`;
  const width = share === undefined || column !== 3 ? undefined : (100 * Math.min(1, share)).toFixed(1);
  const bar = width && `;background:linear-gradient(to left,rgba(0,114,178,0.35) ${width}%,transparent ${width}%)`;
  return `<${tag} style="${align}${bar ?? ""}">${escapeHtml(text)}</${tag}>`;
}

/** Milliseconds in the unit that fits. */
function time(milliseconds: number): string {
  if (milliseconds >= 1000) return `${digits(milliseconds / 1000)} s`;
  return milliseconds >= 0.1 || milliseconds === 0 ? `${digits(milliseconds)} ms` : `${digits(1000 * milliseconds)} µs`;
}

function percent(portion: number): string {
  return `${(100 * portion).toFixed(portion < 0.0995 ? 1 : 0)} %`;
}

/** Three digits. */
function digits(value: number): string {
  return value >= 100 || value === 0 ? value.toFixed(0) : value.toPrecision(3);
}
