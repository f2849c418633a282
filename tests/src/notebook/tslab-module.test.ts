/** tslab's own module, where it is installed, shows things in our kernel. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import test from "node:test";
import { KernelClient } from "../client.js";
import { tslabPackage } from "../tslab-packages.js";

test("a notebook that has tslab installed uses tslab's own display module", async (t) => {
  const folder = dirname(dirname(await tslabPackage()));
  const client = await KernelClient.start({ cwd: folder });
  t.after(() => client.stop());
  const { outputs, reply, error } = await client.execute(`
    import * as tslab from "tslab";
    tslab.display.html("<b>x</b>");
    const place = tslab.newDisplay();
    place.png(new Uint8Array([1, 2, 3]));
    place.text("later");
    tslab.versions.typescript`);
  assert.equal(reply["status"], "ok", error?.text);
  const shown = outputs.filter(({ content }) => "data" in content).map(({ type, content }) => [type, content["data"]]);
  assert.deepEqual(shown, [
    ["display_data", { "text/html": "<b>x</b>" }],
    ["display_data", { "image/png": "AQID" }],
    ["update_display_data", { "text/plain": "later" }],
    // The compiler that it brings: a module of ours would tell of ours.
    ["execute_result", { "text/plain": "'5.0.4'" }],
  ]);
});
