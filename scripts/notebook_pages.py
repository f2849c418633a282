"""Writes notebooks as pages whose plots live and whose formulas are set without a network.

    python notebook_pages.py < ORDER.json

The order names the pages, `{"pages": [{"source", "target", "title"}, …], "assets"}`: where to read and write each, what it
is called, and, relative to the pages, the folder of the scripts that they load.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

HERE = Path(__file__).resolve().parent


def main() -> int:
    order = json.load(sys.stdin)
    exporter = HTMLExporter(extra_template_basedirs=[str(HERE)], template_name="notebook-page")
    # What a cell shows is named by what it is, not by the number that it happened to get.
    exporter.exclude_input_prompt = True
    exporter.exclude_output_prompt = True
    # Pictures that a text shows lie beside the notebook, not beside its page.
    exporter.embed_images = True
    pages = order["pages"]
    listed = [{"title": page["title"], "file": Path(page["target"]).name} for page in pages]
    for at, page in enumerate(pages):
        source = Path(page["source"])
        notebook = nbformat.read(source, as_version=4)
        site = {"pages": listed, "at": at, "assets": order["assets"]}
        body, _ = exporter.from_notebook_node(notebook, {"site": site, "metadata": {"name": page["title"], "path": str(source.parent)}})
        target = Path(page["target"])
        temporary = target.with_name(f".{target.name}.tmp")
        temporary.write_text(body, encoding="utf-8")
        os.replace(temporary, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
