/** What every cell finds without an import: all that this module exports, types included. */
export { Comm, comms, type CommMessage, type CommOptions } from "./comm.js";
export * as Deno from "./deno.js";
export {
  display,
  DisplayHandle,
  type Display,
  type Displayable,
  type DisplayOptions,
  type ImageOptions,
  type MimeBundle,
  type TableOptions,
  type TableRow,
} from "./display.js";
export { alert, confirm, input, prompt, type InputOptions } from "./input.js";
export { progress, type Progress, type ProgressBar, type ProgressOptions } from "./progress.js";
export { type ShellLines } from "./shell-lines.js";
export { ui, type Ui } from "./ui/index.js";
