/** `Deno.jupyter`, see deno.ts. */
import { readFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { currentCell } from "../session/current-cell.js";
import { sendFrame } from "../session/frames.js";
import { DISPLAY_HOOK, mimeBundle } from "../session/mime-bundle.js";

/** Options of {@link display}. */
export interface DisplayOptions {
  /** Whether the object is data by MIME type already. */
  raw?: boolean;
  /** Whether what was displayed under `display_id` is to be replaced. */
  update?: boolean;
  /** A name for what is displayed, by which it can be replaced. */
  display_id?: string;
}

/** A specification of Vega or Vega-Lite. */
export interface VegaObject {
  $schema: string;
  [key: string]: unknown;
}

/** Data by MIME type. */
export interface MediaBundle {
  "text/plain"?: string;
  "text/html"?: string;
  "image/svg+xml"?: string;
  "text/markdown"?: string;
  "application/javascript"?: string;
  /** Base64, as all images but SVG. */
  "image/png"?: string;
  "image/jpeg"?: string;
  "image/gif"?: string;
  "application/pdf"?: string;
  "application/json"?: object;
  "application/geo+json"?: object;
  "application/vdom.v1+json"?: object;
  "application/vnd.plotly.v1+json"?: object;
  "application/vnd.vega.v5+json"?: VegaObject;
  "application/vnd.vegalite.v4+json"?: VegaObject;
  "application/vnd.vegalite.v5+json"?: VegaObject;
  [key: string]: string | object | undefined;
}

/** `Symbol.for("Jupyter.display")`: the name of the method by which an object displays itself. */
export const $display: unique symbol = DISPLAY_HOOK as never;

/** An object that displays itself. */
export interface Displayable {
  [$display]: () => MediaBundle | Promise<MediaBundle>;
}

/**
 * Displays an object below the cell.
 *
 * @example
 * await Deno.jupyter.display({ "text/markdown": "**bold**" }, { raw: true });
 */
export async function display(obj: unknown, options: DisplayOptions = {}): Promise<void> {
  const { raw = false, update = false, display_id } = options;
  const data = raw ? (obj as MediaBundle) : await format(obj);
  const transient = display_id === undefined ? {} : { display_id };
  await broadcast(update ? "update_display_data" : "display_data", { data, metadata: {}, transient });
}

/** The data by MIME type with which an object is displayed. */
export async function format(obj: unknown): Promise<MediaBundle> {
  return (await mimeBundle(obj)) as MediaBundle;
}

/**
 * Displays Markdown.
 *
 * @example
 * Deno.jupyter.md`# A heading, and ${6 * 7}`
 */
export function md(strings: TemplateStringsArray, ...values: unknown[]): Displayable {
  return shows("text/markdown", strings, values);
}

/** Displays HTML, see {@link md}. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): Displayable {
  return shows("text/html", strings, values);
}

/** Displays an SVG image, see {@link md}. */
export function svg(strings: TemplateStringsArray, ...values: unknown[]): Displayable {
  return shows("image/svg+xml", strings, values);
}

/**
 * Displays a PNG, JPEG or GIF image, given as its bytes or as the path of a file.
 * @throws {TypeError} when it is none of them.
 */
export function image(obj: Uint8Array | string): Displayable {
  return {
    [$display]: async () => {
      const bytes = typeof obj === "string" ? await readFile(obj) : Buffer.from(obj);
      const type = imageType(bytes);
      if (type === undefined) throw new TypeError("Deno.jupyter.image: the image is neither PNG nor JPEG nor GIF");
      return { [type]: bytes.toString("base64") };
    },
  };
}

/** What a message of {@link broadcast} may carry beside its content. */
export interface BroadcastExtra {
  metadata?: Record<string, unknown>;
  buffers?: Uint8Array[];
}

/**
 * Sends a message to all clients: `display_data`, `update_display_data`, `clear_output`, `comm_open`, `comm_msg`, …
 *
 * @example
 * await Deno.jupyter.broadcast("clear_output", { wait: true });
 */
export function broadcast(
  msgType: string,
  content: Record<string, unknown>,
  extra: BroadcastExtra = {},
): Promise<void> {
  const { metadata = {}, buffers = [] } = extra;
  if (msgType === "comm_open" || msgType === "comm_msg" || msgType === "comm_close") {
    sendFrame({
      ...{ type: "comm", cell: currentCell(), action: msgType, metadata, buffers },
      comm: asText(content["comm_id"]) ?? randomUUID(),
      target: asText(content["target_name"]) ?? "",
      data: (content["data"] ?? {}) as Record<string, unknown>,
    });
  } else {
    sendFrame({ type: "publish", cell: currentCell(), msgType, content, metadata, buffers });
  }
  return Promise.resolve();
}

function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function shows(type: string, strings: TemplateStringsArray, values: unknown[]): Displayable {
  const text = String.raw({ raw: strings }, ...values);
  return { [$display]: () => ({ [type]: text }) };
}

function imageType(bytes: Buffer): "image/png" | "image/jpeg" | "image/gif" | undefined {
  if (bytes.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]))) return "image/png";
  if (bytes.subarray(0, 2).equals(Buffer.from([0xff, 0xd8]))) return "image/jpeg";
  return bytes.subarray(0, 4).toString("latin1") === "GIF8" ? "image/gif" : undefined;
}
