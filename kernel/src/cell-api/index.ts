/** What every cell finds without an import: all that this module exports, types included. */
export { display, DisplayHandle, type Display, type Displayable, type MimeBundle, type TableRow } from "./display.js";
export { progress, type ProgressOptions } from "./progress.js";
