"""The safetensors format, in the few lines that fixtures need: a length, a JSON header, and the tensors one after the other."""

import json
import struct

import torch

NAMES = {torch.float32: "F32", torch.int32: "I32"}
DTYPES = {name: dtype for dtype, name in NAMES.items()}


def write(path, tensors, metadata):
    """tensors: name to tensor of float32 or int32; metadata: text to text."""
    header, parts, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        part = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(part)]}
        parts.append(part)
        at += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of 8
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def read(path):
    """The tensors by name."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        values = torch.frombuffer(bytearray(data[begin:end]), dtype=DTYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors
