// Included by hot_code.h and path_avx512_bf16.cpp only, in an unnamed namespace.
//
// Copies a part of an operand of a product into panels: a few rows of a, or columns of b, whose values for one step along the
// depth lie side by side, one step after the other. The innermost loop then reads memory in one run.

/// A panel of `panel` rows whose values are adjacent along the depth: four rows at a time, the last four may overlap.
template <int64_t panel>
void packAlong(const float* from, int64_t stride, int64_t depth, float* to) {
  const int64_t whole = depth & ~int64_t{3};
  for (int64_t r = 0; r < panel; r += 4) {
    const int64_t first = r + 4 <= panel ? r : panel - 4;
    for (int64_t p = 0; p < whole; p += 4) transpose4(from + first * stride + p, stride, to + p * panel + first, panel);
  }
  for (int64_t p = whole; p < depth; ++p) {
    for (int64_t r = 0; r < panel; ++r) to[p * panel + r] = from[r * stride + p];
  }
}

/// `panels` panels whose values are adjacent across the depth: eight steps of all of them, then the next eight, so that whole
/// runs of the operand's rows are read and whole cache lines of the panels written, however far these lie apart.
template <int64_t panel>
void packAcross(const float* from, int64_t step, int64_t panels, int64_t depth, float* to) {
  constexpr int64_t together = 8;
  for (int64_t first = 0; first < depth; first += together) {
    const int64_t last = depth - first < together ? depth : first + together;
    for (int64_t q = 0; q < panels; ++q) {
      for (int64_t p = first; p < last; ++p) {
        memcpy(to + (q * depth + p) * panel, from + p * step + q * panel, panel * sizeof(float));
      }
    }
  }
}

template <int64_t panel>
void pack(const float* from, int64_t stride, int64_t step, int64_t count, int64_t depth, float* to) {
  const int64_t whole = count / panel;
  if (step == 1) {
    for (int64_t q = 0; q < whole; ++q) packAlong<panel>(from + q * panel * stride, stride, depth, to + q * panel * depth);
  } else if (stride == 1) {
    packAcross<panel>(from, step, whole, depth, to);
  }
  const bool done = step == 1 || stride == 1;
  for (int64_t first = done ? whole * panel : 0; first < count; first += panel) {
    const int64_t there = count - first < panel ? count - first : panel;
    float* values = to + first * depth;
    for (int64_t p = 0; p < depth; ++p, values += panel) {
      for (int64_t r = 0; r < there; ++r) values[r] = from[(first + r) * stride + p * step];
      for (int64_t r = there; r < panel; ++r) values[r] = 0;
    }
  }
}

/// How the inner loops read rows that pack() has packed.
template <int64_t panel>
RowPanels packedRows(const float* packed, int64_t, int64_t slots) {
  return {packed, panel * slots, 1, panel};
}
