"""Writes notebooks as pages whose plots live and whose formulas are set without a network.

    python notebook_pages.py < ORDER.json

The order names the pages, `{"pages": [{"source", "target", "title"}, …], "assets"}`: where to read and write each, what it
is called, and, relative to the pages, the folder of the scripts that they load.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import re
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

HERE = Path(__file__).resolve().parent


PICTURE = re.compile(r"(!\[[^]]*\]\()([^):]+)(\))")


def attach_pictures(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Puts the pictures that a text shows into its cell: they lie beside the notebook, not beside its page.

    The exporter's own `embed_images` would close every tag of HTML in a text where it opens, `<details>` too.
    """
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        attachments = cell.setdefault("attachments", {})

        def attached(match: re.Match[str]) -> str:
            before, path, after = match.groups()
            kind, _ = mimetypes.guess_type(path)
            attachments[path] = {kind: base64.b64encode((folder / path).read_bytes()).decode("ascii")}
            return f"{before}attachment:{path}{after}"

        cell.source = PICTURE.sub(attached, cell.source)


def main() -> int:
    order = json.load(sys.stdin)
    exporter = HTMLExporter(extra_template_basedirs=[str(HERE)], template_name="notebook-page")
    # What a cell shows is named by what it is, not by the number that it happened to get.
    exporter.exclude_input_prompt = True
    exporter.exclude_output_prompt = True
    pages = order["pages"]
    listed = [{"title": page["title"], "file": Path(page["target"]).name} for page in pages]
    for at, page in enumerate(pages):
        source = Path(page["source"])
        notebook = nbformat.read(source, as_version=4)
        attach_pictures(notebook, source.parent)
        site = {"pages": listed, "at": at, "assets": order["assets"]}
        body, _ = exporter.from_notebook_node(notebook, {"site": site, "metadata": {"name": page["title"], "path": str(source.parent)}})
        target = Path(page["target"])
        temporary = target.with_name(f".{target.name}.tmp")
        temporary.write_text(body, encoding="utf-8")
        os.replace(temporary, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
