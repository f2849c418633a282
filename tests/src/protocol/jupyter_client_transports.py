"""Starts our kernel by jupyter_client over each transport, plain and encrypted, runs a cell and answers its question."""

from jupyter_client.manager import KernelManager

for transport, encryption in [("tcp", "disabled"), ("ipc", "disabled"), ("tcp", "required")]:
    manager = KernelManager(kernel_name="metastate", transport=transport, transport_encryption=encryption)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        if encryption == "required":
            assert manager.get_connection_info()["curve_publickey"]
        answer: list[str] = []

        def take(message):
            if message["msg_type"] == "execute_result":
                answer.append(message["content"]["data"]["text/plain"])

        client.execute_interactive(
            '`${6 * 7} ${await input("?")}`',
            allow_stdin=True,
            stdin_hook=lambda _: client.input("typed"),
            output_hook=take,
            timeout=60,
        )
        assert client.is_alive()
        print(f"{transport} {encryption}: {answer[0].strip(chr(39))}", flush=True)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
