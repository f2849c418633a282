/** The ways in which a client can be connected: over TCP and through files, signed and unsigned, plain and encrypted. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { KernelClient } from "../client.js";
import type { ConnectionOptions } from "../connection.js";
import { bareKernel, python, root, surroundings } from "../environment.js";
import { run } from "../program.js";

const connections: Readonly<Record<string, ConnectionOptions>> = {
  "tcp, signed": { transport: "tcp" },
  "tcp, unsigned": { transport: "tcp", signed: false },
  "tcp, encrypted": { transport: "tcp", encrypted: true },
  "ipc, signed": { transport: "ipc" },
  "ipc, unsigned": { transport: "ipc", signed: false },
};

describe("connections", { timeout: 300_000 }, () => {
  for (const [name, options] of Object.entries(connections)) {
    it(name, async () => {
      const kernel = await KernelClient.start({ spec: bareKernel(), ...options });
      try {
        const { stdout } = await kernel.execute('console.log(await input("?"))', {
          onInput: (request) => void kernel.answer(request, name),
        });
        assert.equal(stdout, `${name}\n`);
        await kernel.heartbeat();
        await kernel.interrupt();
      } finally {
        await kernel.stop();
      }
    });
  }

  it("an encrypted kernel does not hear who has no keys", async () => {
    const kernel = await KernelClient.start({ spec: bareKernel(), encrypted: true });
    try {
      const stranger = kernel.connection.stranger();
      await stranger.send(kernel.connection.frames("kernel_info_request", {}));
      const heard = stranger.receive().then(
        () => true,
        () => false,
      );
      await kernel.request("shell", "kernel_info_request");
      stranger.close();
      assert.equal(await heard, false);
    } finally {
      await kernel.stop();
    }
  });

  it("jupyter_client starts, encrypts and asks, with each of its transports", async () => {
    const script = join(root, "tests", "src", "protocol", "jupyter_client_transports.py");
    const { status, stdout, stderr } = await run(python, [script], { env: surroundings() });
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trim().split("\n"), [
      "tcp disabled: 42 typed",
      "ipc disabled: 42 typed",
      "tcp required: 42 typed",
    ]);
  });
});
