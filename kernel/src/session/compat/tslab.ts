/** `import "tslab"` in a cell: tslab's own module where it is installed, else the one beside this file; both show things here. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { MimeBundle } from "../../session-protocol.js";
import { currentCell } from "../current-cell.js";
import { sendFrame } from "../frames.js";
import type { Import } from "../module-loader.js";

/** Content of a message that tslab's display functions send. */
interface DisplayContent {
  readonly data: MimeBundle;
  readonly metadata: Record<string, unknown>;
  readonly transient: { readonly display_id?: string | undefined };
}

/** The part of tslab through which its display functions send; its kernel would put the function there. */
interface TslabJupyter {
  lastWriteDisplayData: ((content: DisplayContent, update?: boolean) => void) | undefined;
}

/** Sends what a display function of tslab's shows. */
export function publishDisplay({ data, metadata, transient }: DisplayContent, update?: boolean): void {
  const id = transient.display_id;
  sendFrame({
    ...{ type: "publish", cell: currentCell(), msgType: update === true ? "update_display_data" : "display_data" },
    ...{
      content: { data, metadata, transient: id === undefined ? {} : { display_id: id } },
      metadata: {},
      buffers: [],
    },
  });
}

/**
 * Imports tslab.
 * @param places files from which it may be found
 */
export async function importTslab(places: readonly string[], own: Import): Promise<unknown> {
  for (const place of places) {
    const require = createRequire(place);
    let path: string;
    try {
      path = require.resolve("tslab");
    } catch {
      continue;
    }
    const jupyter = require(join(dirname(path), "jupyter.js")) as TslabJupyter;
    jupyter.lastWriteDisplayData = publishDisplay;
    return own(path);
  }
  return import("./tslab-display.js");
}
