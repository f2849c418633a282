#!/bin/sh
# Runs the tests of the backend `cuda` and its benchmarks on this machine's GPU, and writes report/*.json and *.txt (in another
# folder, if METASTATE_REPORT names one) as it goes: what a crash or the end of the time leaves is there.
#
#   run.sh [--quick] [--resume] [--emulated]
#
# --quick takes nine minutes at most and leaves out what tells least; --resume goes on where a run has stopped; --emulated
# runs the same on the CPU, which shows that the bundle is whole.
#
# Where there is nvcc, ./bin/node scripts/build-native.mjs --only cuda --arch 90 --incremental builds the addon anew from
# kernels-cuda/cuda, and scripts/compile-cuda.mjs tells whether one file of it compiles.
set -u
cd "$(dirname "$0")" || exit 1
report="${METASTATE_REPORT:-report}"
mkdir -p "$report"

# The driver's library, where containers put it and the loader does not look.
for folder in /usr/local/nvidia/lib64 /usr/lib/wsl/lib; do
  [ -e "$folder/libcuda.so.1" ] && export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
done

# cuBLASLt, which computes matrix products: of the CUDA toolkit, or as PyTorch brings it. Without it the addon's own run.
find_cublas() {
  for folder in "${CUDA_HOME:-/usr/local/cuda}/lib64" "${CUDA_HOME:-/usr/local/cuda}/lib" /usr/lib/x86_64-linux-gnu \
    $(for python in python3 python; do
      "$python" - 2>/dev/null <<'PYTHON'
import os, site, sysconfig
places = {sysconfig.get_paths()["purelib"], site.getusersitepackages(), *getattr(site, "getsitepackages", list)()}
for place in sorted(places):
    for parts in (("nvidia", "cu13", "lib"), ("nvidia", "cublas", "lib"), ("torch", "lib")):
        print(os.path.join(place, *parts))
PYTHON
    done); do
    for name in libcublasLt.so.13 libcublasLt.so.12; do
      if [ -e "$folder/$name" ]; then
        echo "$folder/$name"
        return
      fi
    done
  done
}
if [ -z "${METASTATE_CUBLAS:-}" ]; then
  METASTATE_CUBLAS="$(find_cublas)"
  if [ -n "$METASTATE_CUBLAS" ]; then export METASTATE_CUBLAS; else unset METASTATE_CUBLAS; fi
fi
echo "cuBLASLt: ${METASTATE_CUBLAS:-not found, the addon computes products itself}"

test_minutes=30 benchmark_minutes=20 checker_minutes=8
case " $* " in *" --quick "*) test_minutes=5 benchmark_minutes=3 checker_minutes=1 ;; esac
emulated=""
case " $* " in *" --emulated "*) emulated=yes ;; esac

# Other libraries that computations in Python are compared with.
export PYTHONPATH="$PWD/peers${PYTHONPATH:+:$PYTHONPATH}"

./bin/node scripts/test-gpu.mjs --report "$report/tests.json" --minutes "$test_minutes" "$@"
status=$?
if [ "$status" -eq 2 ]; then
  echo "Nothing could run; $report/tests.json has the reason. Where it is the addon's CUDA or its GPUs, and this machine has nvcc, a C++
compiler and CMake, build another here and run this again:
  CUDA_HOME=/usr/local/cuda ./bin/node scripts/build-native.mjs --only cuda --incremental" >&2
  exit 2
fi
./bin/node benchmarks/gpu.mjs --report "$report/benchmarks.json" --minutes "$benchmark_minutes" "$@" || status=1
if [ -z "$emulated" ] && PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin" command -v compute-sanitizer >/dev/null; then
  ./bin/node scripts/test-gpu.mjs --sanitizer --report "$report/sanitizer.json" --minutes "$checker_minutes" platform wkv7 || status=1
fi
exit "$status"
