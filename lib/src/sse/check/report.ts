/** What a check of an SSE variant found, for a person to read. */
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../../display.js";
import { outOfSight } from "../../errors.js";

/** One question and its answer. */
export interface SseCheck {
  /** e.g. `causality` */
  readonly name: string;
  /** `skipped`: it could not be asked, or does not apply; then `measured` says why */
  readonly result: "passed" | "failed" | "skipped";
  /** the number, and what it is of */
  readonly measured: string;
  /** what it means; of a failed check, what to do */
  readonly meaning: string;
}

/** A variant failed a check that it had to pass. */
export class SseCheckError extends Error {
  override readonly name = "SseCheckError";

  /** @param report all of what was checked */
  constructor(readonly report: SseReport) {
    const failed = report.failed.map(({ name, measured, meaning }) => `${name}: ${measured}. ${meaning}`);
    super(`SSE variant "${report.variant}" failed ${failed.length} of its checks\n${failed.join("\n")}`);
    outOfSight(this);
  }
}

const marks = { passed: "✓ passed", failed: "✗ FAILED", skipped: "– skipped" } as const;

/** The answers to all questions about a variant. Shows itself as a table. */
export class SseReport extends Shown {
  /**
   * @param variant its name
   * @param checks in the order in which they were made
   */
  constructor(
    readonly variant: string,
    readonly checks: readonly SseCheck[],
  ) {
    super();
  }

  /** Whether no check failed. */
  get passed(): boolean {
    return this.failed.length === 0;
  }

  /** The checks that failed. */
  get failed(): readonly SseCheck[] {
    return this.checks.filter(({ result }) => result === "failed");
  }

  /**
   * Does nothing when all checks passed; for scripts and tests.
   *
   * @throws SseCheckError with what failed and what to do
   */
  assert(): void {
    if (!this.passed) throw new SseCheckError(this);
  }

  [jupyterDisplay](): MimeBundle {
    const verdict = this.passed ? "all checks passed" : `${this.failed.length} of ${this.checks.length} checks failed`;
    const title = `SSE variant "${this.variant}": ${verdict}`;
    const rows = [
      ["check", "result", "measured", "what it means"],
      ...this.checks.map(({ name, result, measured, meaning }) => [name, marks[result], measured, meaning]),
    ];
    return tableForms(rows, title);
  }
}
