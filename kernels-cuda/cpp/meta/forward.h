// Included by hot_code.h only, in an unnamed namespace.
//
// The Meta-State pass of one head, both states side by side: of a tile of steps S is run and read, the reads are
// normalised and written to M, M is run and read, while everything is in the near caches. Both states advance as in
// wkv7/forward.h. Where a head's reads of S lie, what is written to M takes their place when they are not wanted, and then
// the reads of M: a block of rows takes its values of a step before it puts its reads there.

int64_t metaForwardScratch(int64_t headSize) {
  return 2 * roundUp(forwardScratch(headSize, headSize), 16) + roundUp(headSize, 16) + 16;
}

template <int Size>
void metaForwardOfSize(const MetaShape& shape, const MetaInputs& in, const MetaOutputs& out, int64_t head,
                       float* scratch) {
  const Wkv7Shape& states = shape.states;
  const int64_t n = states.headSize, stateAt = head * n * n;
  const HeadSteps steps(shape, head);
  float* const wkvBlocks = alignedTo64(scratch);
  float* const metaBlocks = wkvBlocks + roundUp(forwardScratch(n, n), 16);
  float* const row = metaBlocks + roundUp(forwardScratch(n, n), 16);
  const Wkv7Inputs wkv{in.q, in.w, in.k, in.v, in.a, in.b, in.wkv};
  const Wkv7Inputs meta{in.r, in.w, in.k, out.o, in.a, in.b, in.meta};
  const Wkv7Outputs wkvOut{out.u, nullptr, out.wkvCheckpoints}, metaOut{out.o, out.metaAfter, out.metaCheckpoints};

  const auto eachOf = [&](float* blocks, auto visit) { eachBlock(n, n, blocks, visit); };
  eachOf(wkvBlocks, [&](auto vectors, int64_t first, int64_t rows, float* block) {
    startBlock<decltype(vectors)::value, Size>(states, wkv, stateAt + first * n, steps.first, rows, block);
  });
  eachOf(metaBlocks, [&](auto vectors, int64_t first, int64_t rows, float* block) {
    startBlock<decltype(vectors)::value, Size>(states, meta, stateAt + first * n, steps.first, rows, block);
  });
  for (int64_t from = 0; from < states.time; from += forwardTile) {
    const int64_t to = from + forwardTile < states.time ? from + forwardTile : states.time;
    eachOf(wkvBlocks, [&](auto vectors, int64_t first, int64_t rows, float* block) {
      advanceBlock<decltype(vectors)::value, Size>(states, wkv, wkvOut, head, first, rows, from, to, block);
    });
    for (int64_t t = from; t < to; ++t) {
      const int64_t at = steps.first + t * steps.stride;
      writeStep(n, shape.epsilon, in.readGain + steps.gain, out.u + at, in.x + at, out.added + at, out.o + at, row);
    }
    eachOf(metaBlocks, [&](auto vectors, int64_t first, int64_t rows, float* block) {
      advanceBlock<decltype(vectors)::value, Size>(states, meta, metaOut, head, first, rows, from, to, block);
    });
    for (int64_t t = from; t < to; ++t) {
      const int64_t at = steps.first + t * steps.stride;
      rememberStep(n, shape.epsilon, in.memoryGain + steps.gain, out.o + at, out.added + at, row);
    }
  }
  eachOf(metaBlocks, [&](auto vectors, int64_t first, int64_t rows, float* block) {
    transpose(block, decltype(vectors)::value * lanes, n, rows, out.metaAfter + stateAt + first * n, n);
  });
}

void metaForwardHead(const MetaShape& shape, const MetaInputs& in, const MetaOutputs& out, int64_t head,
                     float* scratch) {
  switch (shape.states.headSize) {
    case 16: return metaForwardOfSize<16>(shape, in, out, head, scratch);
    case 32: return metaForwardOfSize<32>(shape, in, out, head, scratch);
    case 64: return metaForwardOfSize<64>(shape, in, out, head, scratch);
    case 128: return metaForwardOfSize<128>(shape, in, out, head, scratch);
    default: return metaForwardOfSize<0>(shape, in, out, head, scratch);
  }
}
