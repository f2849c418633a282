/** Images: from a file, from bytes, from an address, from a canvas. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { canvasBundle } from "../../session/mime-bundle.js";
import type { MimeBundle } from "../../session-protocol.js";
import { Mime } from "./handle.js";
import { escapeHtml } from "./html.js";

/** A canvas, as in a browser or as of the packages `canvas` and `@napi-rs/canvas`. */
export interface Canvas {
  toDataURL(type?: string): string | Promise<string>;
  getContext(kind: "2d"): unknown;
}

/** What `display.image` takes: the path of a file, a `file:` or `https:` URL, bytes, a canvas. */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Canvas;

/** Options of `display.image`. */
export interface ImageOptions {
  /** MIME type, where bytes do not tell it. */
  readonly type?: string;
  /** Width and height on the screen, in pixels; the image's own where neither is given. */
  readonly width?: number;
  readonly height?: number;
}

const BY_EXTENSION: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".bmp": "image/bmp",
  ".avif": "image/avif",
  ".svg": "image/svg+xml",
};

/** What an image is shown by. */
export function image(source: ImageSource, options: ImageOptions | string = {}): unknown {
  const { type: given, ...size } = typeof options === "string" ? { type: options } : options;
  if (isCanvas(source)) {
    const data = canvasBundle(source);
    return data === undefined || data instanceof Promise || Object.keys(size).length === 0 ? source : sized(data, size);
  }
  const url = addressOf(source);
  if (url !== undefined && url.protocol !== "file:") return linked(url.href, size);
  const path = url === undefined ? source : fileURLToPath(url);
  const bytes = typeof path === "string" ? readFileSync(path) : Buffer.from(path as Uint8Array);
  const type =
    given ?? (typeof path === "string" ? BY_EXTENSION[extname(path).toLowerCase()] : undefined) ?? typeOf(bytes);
  if (type === undefined) {
    throw new TypeError(`display.image: what kind of image is this? Say so, as in display.image(bytes, "image/png")`);
  }
  const data = type === "image/svg+xml" ? bytes.toString("utf8") : bytes.toString("base64");
  return sized({ [type]: data, "text/plain": `[${type}, ${bytes.length} bytes]` }, size);
}

type Size = Pick<ImageOptions, "width" | "height">;

function sized(data: MimeBundle, size: Size): Mime {
  if (size.width === undefined && size.height === undefined) return new Mime(data);
  return new Mime(
    data,
    Object.fromEntries(Object.keys(data).flatMap((type) => (type === "text/plain" ? [] : [[type, size]]))),
  );
}

/** An image on the web stays there. */
function linked(href: string, { width, height }: Size): Mime {
  const attribute = (name: string, value: number | undefined): string =>
    value === undefined ? "" : ` ${name}="${value}"`;
  const html = `<img src="${escapeHtml(href)}"${attribute("width", width)}${attribute("height", height)}>`;
  return new Mime({ "text/html": html, "text/plain": href });
}

function addressOf(source: Exclude<ImageSource, Canvas>): URL | undefined {
  if (source instanceof URL) return source;
  return typeof source === "string" && /^(https?|file|data):/.test(source) ? new URL(source) : undefined;
}

function isCanvas(source: ImageSource): source is Canvas {
  return typeof source === "object" && typeof (source as Partial<Canvas>).toDataURL === "function";
}

function typeOf(bytes: Buffer): string | undefined {
  const starts = (text: string, at = 0): boolean => bytes.subarray(at, at + text.length).toString("latin1") === text;
  if (starts("\u0089PNG")) return "image/png";
  if (starts("\u00ff\u00d8")) return "image/jpeg";
  if (starts("GIF8")) return "image/gif";
  if (starts("WEBP", 8)) return "image/webp";
  if (starts("BM")) return "image/bmp";
  if (starts("ftypavif", 4)) return "image/avif";
  if (/^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<svg[\s>]/s.test(bytes.subarray(0, 1000).toString("utf8")))
    return "image/svg+xml";
  return undefined;
}
