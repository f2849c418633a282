/** How far reading or writing a model is. */
export interface FileProgress {
  /** the parameter at hand */
  readonly parameter: string;
  /** bytes of parameters read or written so far */
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Tells progress after every so many bytes, not after each small parameter. */
const tellEvery = 8 * 1024 * 1024;

/** Counts bytes and tells a caller's callback now and then, and at the end. */
export class ProgressCounter {
  private bytes = 0;
  private told = 0;
  parameter = "";

  constructor(
    private readonly totalBytes: number,
    private readonly tell: ((progress: FileProgress) => void) | undefined,
  ) {}

  readonly add = (bytes: number): void => {
    this.bytes += bytes;
    if (this.bytes - this.told < tellEvery && this.bytes < this.totalBytes) return;
    this.told = this.bytes;
    this.tell?.({ parameter: this.parameter, bytes: this.bytes, totalBytes: this.totalBytes });
  };
}
