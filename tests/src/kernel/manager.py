"""Starts, interrupts, restarts and shuts down the kernel through Jupyter's own kernel manager; prints what it saw as JSON."""

import json
import time

from jupyter_client.manager import start_new_kernel

PATIENCE = 60


def run(client, code):
    """Runs a cell; returns the content of its reply and the text of its result."""
    result = []

    def keep(message):
        if message["msg_type"] == "execute_result":
            result.append(message["content"]["data"]["text/plain"])

    reply = client.execute_interactive(code, timeout=PATIENCE, output_hook=keep, stop_on_error=False)
    return reply["content"], "".join(result)


manager, client = start_new_kernel(kernel_name="metastate", startup_timeout=PATIENCE)
try:
    seen = {}
    run(client, "let precious = 42")
    seen["before"] = run(client, "process.pid")[1]

    message_id = client.execute("while (true) {}")
    time.sleep(1)
    manager.interrupt_kernel()
    seen["interrupted"] = client.get_shell_msg(timeout=PATIENCE)["content"]["ename"]

    manager.restart_kernel()
    client.wait_for_ready(timeout=PATIENCE)
    seen["lost"] = run(client, "precious")[0]["evalue"]
    seen["after"] = run(client, "process.pid")[1]
finally:
    client.stop_channels()
    manager.shutdown_kernel()
print(json.dumps(seen))
