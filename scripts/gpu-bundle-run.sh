#!/bin/sh
# Runs the tests of the backend `cuda` and its benchmarks on this machine's GPU, and writes report/*.json. --emulated runs
# the tests on the CPU, which shows that the bundle is whole; words choose tests, as for scripts/test-gpu.mjs.
set -u
cd "$(dirname "$0")" || exit 1
mkdir -p report

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

./bin/node scripts/test-gpu.mjs --report report/tests.json "$@"
status=$?
case " $* " in *" --emulated "*) exit "$status" ;; esac
[ "$status" -eq 2 ] && exit 2
./bin/node benchmarks/gpu.mjs --report report/benchmarks.json || status=1
exit "$status"
