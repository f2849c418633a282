/** What is known of a name, as the protocol carries it. */
import type { Inspection } from "../language/inspection.js";
import { inspectionHtml } from "./inspect-html.js";
import type { Json } from "../protocol/message.js";

/** Content of an `inspect_reply`. */
export function inspectReply(found: Inspection | undefined): Json {
  return { status: "ok", found: found !== undefined, data: found === undefined ? {} : bundle(found), metadata: {} };
}

/** Payload that shows what is known of `name` in the front end's pager. */
export function pagePayload(name: string, found: Inspection | undefined): Json[] {
  const data = found === undefined ? { "text/plain": `Nothing is known of ${name} here.` } : bundle(found);
  return [{ source: "page", data, start: 0 }];
}

function bundle({ signature, documentation }: Inspection): Json {
  const separator = documentation === "" ? "" : "\n\n";
  return {
    "text/plain": `${signature}${separator}${documentation}`,
    "text/markdown": `\`\`\`typescript\n${signature}\n\`\`\`${separator}${documentation}`,
    "text/html": inspectionHtml(signature, documentation),
  };
}
