"""RWKV-7 and Meta-State in PyTorch eager, their recurrences as one C++ operator: a training step and a token, timed on request.

    pytorch_models.py '{"vocabSize": 256, "width": 128, …, "sse": "sse", "batchSize": 4, "length": 256}'

The equations are those of tests/parity/reference.py, which the library is held against, with its loop over time replaced.
Answers a line of standard input, `train` or `token`, with a line of milliseconds. The first line says what is there.
"""

import json
import sys
import time

import torch
from cpu_recurrence import Recurrence
from timed_model import TimedModel


def main():
    asked = json.loads(sys.argv[1])
    batch, length, threads = asked.pop("batchSize"), asked.pop("length"), asked.pop("threads")
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = TimedModel(Recurrence.apply, asked, batch, length)
    about = {"torch": torch.__version__, "threads": torch.get_num_threads(), "parameters": model.parameters}
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        run = {"train": model.train, "token": model.token}[line.strip()]
        begin = time.perf_counter()
        run()
        print(1000 * (time.perf_counter() - begin), flush=True)


main()
