// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// The measure that kernels are held against: as many fused multiply-adds as the CPU can do.

template <typename Slots>
double multiplyAddLoop(int64_t iterations, float* sink) {
  const Vector factor = broadcast(0.999999f), addend = broadcast(1e-6f);
  // Twelve independent chains cover a latency of 4 to 6 cycles on two units and fit 16 registers. Where there are 32 (arm64,
  // AVX-512), twice as many: large arm64 cores have four units of latency 4. They are variables, each tied to a register: an
  // array goes to memory and measures that.
#define METASTATE_DOZEN(each, x) \
  each(x##0) each(x##1) each(x##2) each(x##3) each(x##4) each(x##5) each(x##6) each(x##7) each(x##8) each(x##9) each(x##a) each(x##b)
#if METASTATE_REGISTERS >= 32
#define METASTATE_CHAINS(each) METASTATE_DOZEN(each, x) METASTATE_DOZEN(each, y)
  constexpr double chains = 24;
#else
#define METASTATE_CHAINS(each) METASTATE_DOZEN(each, x)
  constexpr double chains = 12;
#endif
#define METASTATE_START(x) Vector x = broadcast(*sink);
#define METASTATE_STEP(x)               \
  x = Slots::link(x, factor, addend); \
  METASTATE_KEEP_IN_REGISTER(x);
#define METASTATE_ADD(x) total += x;
  METASTATE_CHAINS(METASTATE_START)
  for (int64_t i = 0; i < iterations; ++i) {
    METASTATE_CHAINS(METASTATE_STEP)
  }
  Vector total = broadcast(0);
  METASTATE_CHAINS(METASTATE_ADD)
#undef METASTATE_DOZEN
#undef METASTATE_CHAINS
#undef METASTATE_START
#undef METASTATE_STEP
#undef METASTATE_ADD
  *sink = total[0];
  return 2.0 * Slots::depth * chains * lanes * static_cast<double>(iterations);
}
