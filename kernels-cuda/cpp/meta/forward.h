// Included by hot_code.h only, in an unnamed namespace.
//
// The Meta-State pass of some heads, both states side by side: of a tile of steps S is run and read, the reads are
// normalised and written to M, M is run and read, while everything is in the near caches. Both states advance as in
// wkv7/forward.h. Where a head's reads of S lie, what is written to M takes their place when they are not wanted, and then
// the reads of M: a block of rows takes its values of a step before it puts its reads there.

int64_t metaForwardScratch(int64_t headSize, int64_t heads) {
  return 2 * roundUp(forwardScratch(headSize, heads, headSize), 16) + 16;
}

template <int Size>
void metaForwardOfSize(const MetaShape& shape, const MetaInputs& in, const MetaOutputs& out, int64_t firstHead,
                       int64_t heads, float* scratch) {
  const Wkv7Shape& states = shape.states;
  const int64_t n = states.headSize, scratchOfStates = roundUp(forwardScratch(n, heads, n), 16);
  float* const wkvBlocks = alignedTo64(scratch);
  float* const metaBlocks = wkvBlocks + scratchOfStates;
  const Wkv7Inputs wkv{in.q, in.w, in.k, in.v, in.a, in.b, in.wkv};
  const Wkv7Inputs meta{in.r, in.w, in.k, out.o, in.a, in.b, in.meta};
  const Wkv7Outputs wkvOut{out.u, nullptr, out.wkvCheckpoints}, metaOut{out.o, out.metaAfter, out.metaCheckpoints};

  if (isOneStep(states)) {
    for (int64_t head = firstHead; head < firstHead + heads; ++head) {
      const FewSteps step(1, firstStep(states, head), 0, head % states.heads * n);
      oneStep<Size>(states, wkv, out.u, nullptr, head, 0, n);
      writeSteps<Size>(shape, step, in.readGain, out.u, in.x, out.added, out.o);
      oneStep<Size>(states, meta, out.o, out.metaAfter, head, 0, n);
      rememberSteps<Size>(shape, step, in.memoryGain, out.o, out.added);
    }
    return;
  }
  startHeads<Size>(states, wkv, firstHead, heads, 0, n, wkvBlocks);
  startHeads<Size>(states, meta, firstHead, heads, 0, n, metaBlocks);
  for (int64_t from = 0; from < states.time; from += forwardTile) {
    const int64_t to = from + forwardTile < states.time ? from + forwardTile : states.time;
    advanceHeads<Size>(states, wkv, wkvOut, firstHead, heads, 0, n, from, to, wkvBlocks);
    eachFewSteps(shape, firstHead, heads, from, to, [&](int64_t, const FewSteps& steps) {
      writeSteps<Size>(shape, steps, in.readGain, out.u, in.x, out.added, out.o);
    });
    advanceHeads<Size>(states, meta, metaOut, firstHead, heads, 0, n, from, to, metaBlocks);
    eachFewSteps(shape, firstHead, heads, from, to, [&](int64_t, const FewSteps& steps) {
      rememberSteps<Size>(shape, steps, in.memoryGain, out.o, out.added);
    });
  }
  endHeads(states, out.metaAfter, firstHead, heads, 0, n, metaBlocks);
}

void metaForwardHeads(const MetaShape& shape, const MetaInputs& in, const MetaOutputs& out, int64_t firstHead,
                      int64_t heads, float* scratch) {
  withHeadSize(shape.states.headSize, [&](auto size) {
    metaForwardOfSize<decltype(size)::value>(shape, in, out, firstHead, heads, scratch);
  });
}
