"""Runs a notebook from its first cell to its last, and writes its outputs.

    python run_notebook.py NOTEBOOK [--output FILE] [--timeout SECONDS] [--kernel NAME]

After every cell the outputs so far are written, whole or not at all. The exit status is 0 when every cell ran, 1 when one
failed (its traceback is printed, and its outputs are kept), 130 when the run was interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

# Seconds between the lines that say a long cell lives, where a line cannot be rewritten (a file, a CI log).
HEARTBEAT = 15.0

COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Progress:
    """The line of the cell that runs: `[3/12] ran in 4.1 s`."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0
        self.started = 0.0
        self.said = 0.0

    def start(self) -> None:
        self.number += 1
        self.started = self.said = time.monotonic()

    def lives(self) -> None:
        """Shows, now and then, that the cell still runs."""
        now = time.monotonic()
        line = f"[{self.number}/{self.total}] runs, {now - self.started:.0f} s"
        if sys.stdout.isatty():
            print(f"\r\x1b[K  {line}", end="", flush=True)
        elif now - self.said >= HEARTBEAT:
            self.said = now
            print(f"  {line}", flush=True)

    def end(self, how: str) -> None:
        clear = "\r\x1b[K" if sys.stdout.isatty() else ""
        seconds = time.monotonic() - self.started
        print(f"{clear}  [{self.number}/{self.total}] {how} {seconds:.1f} s", flush=True)


class CannotWrite(Exception):
    """The outputs cannot be written."""


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Writes a notebook whole or not at all, through links and with the mode the file had."""
    try:
        replace(notebook, Path(os.path.realpath(path)))
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise CannotWrite(f"{path} cannot be written: {reason}") from error


def replace(notebook: nbformat.NotebookNode, path: Path) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            nbformat.write(notebook, file)
        if path.exists():
            shutil.copymode(path, temporary)
        else:
            os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def is_run(cell: nbformat.NotebookNode) -> bool:
    """Whether there is anything in a cell to run."""
    return cell.cell_type == "code" and bool(cell.source.strip())


async def run(source: Path, target: Path, kernel: str, timeout: int | None) -> int:
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # What is not reached in this run must not look as if it had been.
            cell.outputs = []
            cell.execution_count = None
    progress = Progress(sum(map(is_run, notebook.cells)))
    client = NotebookClient(
        notebook,
        kernel_name=kernel,
        timeout=timeout,
        resources={"metadata": {"path": str(source.parent)}},
        coalesce_streams=True,
        # Times of day would make every run a difference in the notebook's history.
        record_timing=False,
    )
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if interrupted:  # asked twice: do not wait for the cell
            for task in asyncio.all_tasks():
                task.cancel()
            return
        interrupted = True
        assert client.km is not None
        asyncio.ensure_future(client.km.interrupt_kernel())

    def on_notebook_start(**_: object) -> None:
        # nbclient's own handler would kill the kernel and leave the cell without an answer.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)

    def on_cell_execute(**_: object) -> None:
        progress.start()

    def on_cell_executed(execute_reply: dict, **_: object) -> None:
        if execute_reply["content"]["status"] == "ok":
            progress.end("ran in")
            # Streams are joined after this hook; the next write, or the last, has them joined.
            write(notebook, target)

    client.on_notebook_start = on_notebook_start
    client.on_cell_execute = on_cell_execute
    client.on_cell_executed = on_cell_executed

    async def show_life() -> None:
        while True:
            await asyncio.sleep(0.5)
            if progress.number:
                progress.lives()

    life = asyncio.ensure_future(show_life())
    failure = None
    try:
        await client.async_execute()
    except CellExecutionError as error:
        progress.end("failed after")
        failure = "\n".join(traceback_of(notebook)) or str(error)
    except CellTimeoutError:
        progress.end("stopped after")
        failure = f"the cell took longer than --timeout {timeout}; give it more, or leave --timeout out"
    except DeadKernelError:
        progress.end("failed after")
        failure = "the kernel's own process ended; start the notebook in JupyterLab to see its messages"
    except asyncio.CancelledError:
        interrupted = True
    finally:
        life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life
    write(notebook, target)
    if interrupted:
        print("  interrupted; the outputs so far are kept", flush=True)
        return 130
    if failure is not None:
        print(f"\n{failure}\n", flush=True)
        print(f"  the outputs so far are in {target}", flush=True)
        return 1
    print(f"  outputs written to {target}", flush=True)
    return 0


def traceback_of(notebook: nbformat.NotebookNode) -> list[str]:
    """The traceback of the last error among the outputs, coloured as the kernel sent it where that can be seen."""
    errors = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"]
    if not errors:
        return []
    lines = errors[-1].traceback
    return lines if sys.stdout.isatty() else [COLOUR.sub("", line) for line in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--output", type=Path, help="where to write, instead of into the notebook")
    parser.add_argument("--timeout", type=int, help="seconds that a cell may take")
    parser.add_argument("--kernel", default="metastate", help="the name of the kernelspec")
    options = parser.parse_args()
    source = options.notebook.resolve()
    target = (options.output or options.notebook).absolute()
    try:
        return asyncio.run(run(source, target, options.kernel, options.timeout))
    except NoSuchKernel:
        print(f"no kernel {options.kernel!r} is registered in {sys.prefix}; npm start registers it", file=sys.stderr)
    except nbformat.reader.NotJSONError:
        print(f"{source} is not a notebook", file=sys.stderr)
    except CannotWrite as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
