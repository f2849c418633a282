/** What every cell finds without an import: all that this module exports, types included. */
export { display, DisplayHandle, type Displayable, type MimeBundle } from "./display.js";
export { progress, type ProgressOptions } from "./progress.js";
