"""Matrix products of numpy or PyTorch, timed on request: float32; of PyTorch also bfloat16, of tensors that are bfloat16 and give it,
or of float32 tensors, converted before each product and its result after it, as autocast does.

    products.py numpy float32 2 wall        the library, `float32`, `bfloat16` or `converted`, how many threads, and by which clock:
                                            `processor` is the time of all threads together

A line `batch m n k transposeA transposeB milliseconds` of standard input is answered with the milliseconds of one product, the
mean of as many as take about that long, into a result that is there. The first line says what is there.
"""

import json
import os
import sys
import time

library, kind, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
now = time.process_time if sys.argv[4] == "processor" else time.perf_counter
os.environ.update(OPENBLAS_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
if library == "numpy":
    import numpy

    about = {"name": f"numpy {numpy.__version__}"}

    def random(*shape):
        return numpy.random.rand(*shape).astype("float32")

    def turned(x):
        return x.swapaxes(-1, -2)

    def product(a, b, out):
        numpy.matmul(a, b, out=out)

else:
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    about = {"name": f"PyTorch {torch.__version__}"}

    def random(*shape):
        return torch.rand(*shape, dtype=torch.bfloat16 if kind == "bfloat16" else torch.float32)

    def turned(x):
        return x.transpose(-1, -2)

    def product(a, b, out):
        if kind == "converted":
            out.copy_(torch.matmul(a.bfloat16(), b.bfloat16()))
        else:
            torch.matmul(a, b, out=out)


def operand(batch, rows, columns, transposed):
    shape = (columns, rows) if transposed else (rows, columns)
    x = random(*shape) if batch == 1 else random(batch, *shape)
    return turned(x) if transposed else x


print(json.dumps(about), flush=True)
held = (None, None)
for line in sys.stdin:
    *shape, wanted = line.split()
    if held[0] != shape:
        batch, m, n, k, left, right = (int(value) for value in shape)
        operands = (operand(batch, m, k, left), operand(batch, k, n, right), operand(batch, m, n, False))
        held = (shape, operands)
        product(*operands)
    begin = now()
    count, spent = 0, 0.0
    while spent < float(wanted):
        product(*held[1])
        count += 1
        spent = 1000 * (now() - begin)
    print(spent / count, flush=True)
