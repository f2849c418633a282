/** The language service as the front uses it: questions to its thread, answers as promises. */
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { LanguageOptions } from "./language.js";
import type { LanguageReply, LanguageRequest, LanguageRequests } from "./worker.js";

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class LanguageClient {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #failed: Error | undefined;

  constructor(options: Omit<LanguageOptions, "nodeTypes">) {
    const nodeTypes = createRequire(import.meta.url)
      .resolve("@types/node/package.json")
      .replace("package.json", "index.d.ts");
    const workerData: LanguageOptions = { ...options, nodeTypes };
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { workerData });
    this.#worker.on("message", (reply: LanguageReply) => {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ("error" in reply) pending?.reject(new Error(reply.error));
      else pending?.resolve(reply.result as never);
    });
    this.#worker.on("error", (error) => {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Asks; answers come in the order of the questions. */
  ask<M extends keyof LanguageRequests>(
    method: M,
    ...args: LanguageRequests[M]["args"]
  ): Promise<LanguageRequests[M]["result"]> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args } satisfies LanguageRequest);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#failed = new Error(`The TypeScript language service has stopped: ${error.message}. Restart the kernel.`, {
      cause: error,
    });
    for (const { reject } of this.#pending.values()) reject(this.#failed);
    this.#pending.clear();
  }
}
