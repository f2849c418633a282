/**
 * The module `tslab` as notebooks of tslab import it, where tslab itself is not installed: its display functions, with its
 * names. (tslab comes with a compiler and a kernel of its own, 90 MB that nobody should need here.)
 */
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import type { MimeBundle } from "../../session-protocol.js";
import { publishDisplay } from "./tslab.js";

/** Version strings, under the names that they have in tslab. */
export interface Versions {
  tslab: string;
  typescript: string;
  node: string;
}

/** tslab's way to show things: each method takes the data of one MIME type. */
export interface Display {
  javascript(s: string): void;
  html(s: string): void;
  markdown(s: string): void;
  latex(s: string): void;
  svg(s: string): void;
  png(b: Uint8Array): void;
  jpeg(b: Uint8Array): void;
  gif(b: Uint8Array): void;
  pdf(b: Uint8Array): void;
  text(s: string): void;
  /** Data of any MIME type; bytes travel as base64. */
  raw(contentType: string, b: string | Uint8Array): void;
}

class OneDisplay implements Display {
  readonly #id: string | undefined;
  #shown = false;

  constructor(id?: string) {
    this.#id = id;
  }

  raw(contentType: string, b: string | Uint8Array): void {
    const data: MimeBundle = { [contentType]: b instanceof Uint8Array ? Buffer.from(b).toString("base64") : b };
    publishDisplay({ data, metadata: {}, transient: { display_id: this.#id } }, this.#shown);
    this.#shown = this.#id !== undefined;
  }

  javascript(s: string): void {
    this.raw("text/javascript", s);
  }
  html(s: string): void {
    this.raw("text/html", s);
  }
  markdown(s: string): void {
    this.raw("text/markdown", s);
  }
  latex(s: string): void {
    this.raw("text/latex", s);
  }
  svg(s: string): void {
    this.raw("image/svg+xml", s);
  }
  png(b: Uint8Array): void {
    this.raw("image/png", b);
  }
  jpeg(b: Uint8Array): void {
    this.raw("image/jpeg", b);
  }
  gif(b: Uint8Array): void {
    this.raw("image/gif", b);
  }
  pdf(b: Uint8Array): void {
    this.raw("application/pdf", b);
  }
  text(s: string): void {
    this.raw("text/plain", s);
  }
}

/** Shows things below the cell, one below the other. */
export const display: Display = new OneDisplay();

/** A place below the cell: each call replaces what the one before has shown. */
export function newDisplay(): Display {
  return new OneDisplay(randomUUID());
}

/** `tslab` is the version whose functions these are. */
export const versions: Versions = {
  tslab: "1.0.22",
  typescript: (createRequire(import.meta.url)("typescript/package.json") as { version: string }).version,
  node: process.version,
};
