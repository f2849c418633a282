// Included by hot_code.h only, in an unnamed namespace.
//
// The measure that kernels are held against: as many fused multiply-adds as the CPU can do.

double multiplyAddLoop(int64_t iterations, float* sink) {
  const Vector factor = broadcast(0.999999f), addend = broadcast(1e-6f);
  // Twelve independent chains cover a latency of 4 to 6 cycles on two units and fit 16 registers. They are twelve
  // variables, each tied to a register: an array goes to memory and measures that.
#define METASTATE_CHAINS(each) \
  each(x0) each(x1) each(x2) each(x3) each(x4) each(x5) each(x6) each(x7) each(x8) each(x9) each(x10) each(x11)
#define METASTATE_START(x) Vector x = broadcast(*sink);
#define METASTATE_STEP(x)    \
  x = x * factor + addend; \
  METASTATE_KEEP_IN_REGISTER(x);
#define METASTATE_ADD(x) total += x;
  METASTATE_CHAINS(METASTATE_START)
  for (int64_t i = 0; i < iterations; ++i) {
    METASTATE_CHAINS(METASTATE_STEP)
  }
  Vector total = broadcast(0);
  METASTATE_CHAINS(METASTATE_ADD)
#undef METASTATE_CHAINS
#undef METASTATE_START
#undef METASTATE_STEP
#undef METASTATE_ADD
  *sink = total[0];
  return 2.0 * 12 * lanes * static_cast<double>(iterations);
}
