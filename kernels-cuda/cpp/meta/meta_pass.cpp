#include "meta/meta_pass.h"

#include <algorithm>
#include <vector>

#include "simd/aligned_buffer.h"
#include "simd/flush_denormals.h"
#include "wkv7/wkv7.h"

namespace metastate {
namespace {

/// Below about 20 microseconds of one core's work, waking other threads costs more than they do.
constexpr double worthThreads = 5e5;  // floating point operations

/// How a call is shared out. Heads are whole where that keeps the threads busy: nothing then leaves a core between the
/// states. Where there are fewer heads than threads, or hardly more, each recurrence shares the rows of its heads.
struct Sharing {
  int64_t heads, stride;  ///< of all batch entries; floats of scratch from one thread to the next
  bool threaded, wholeHeads;

  Sharing(const ThreadPool& pool, const Wkv7Shape& shape, double operationsOfElement, int64_t scratch)
      : heads(shape.batch * shape.heads), stride((scratch + 31) / 16 * 16) {
    const double elements = static_cast<double>(heads * shape.time * shape.headSize * shape.headSize);
    threaded = pool.threads() > 1 && operationsOfElement * elements >= worthThreads;
    const int64_t rounds = (heads + pool.threads() - 1) / pool.threads();
    wholeHeads = !threaded || 6 * heads >= 5 * rounds * pool.threads();
  }

  template <typename Task>
  void eachHead(ThreadPool& pool, const AlignedBuffer& scratch, Task task) const {
    const auto one = [&](int64_t head, int slot) {
      const FlushDenormals flush;
      task(head, scratch.data() + stride * slot);
    };
    if (threaded) {
      pool.run(heads, one);
    } else {
      for (int64_t head = 0; head < heads; ++head) one(head, 0);
    }
  }

  AlignedBuffer scratch(const ThreadPool& pool) const {
    return AlignedBuffer(static_cast<size_t>(stride * (threaded ? pool.threads() : 1)));
  }
};

}  // namespace

void metaPassForward(ThreadPool& pool, const SimdPath& path, const MetaShape& shape, const MetaInputs& in,
                     const MetaOutputs& given) {
  const Wkv7Shape& states = shape.states;
  const Sharing sharing(pool, states, 18, path.meta.forwardScratch(states.headSize));
  const AlignedBuffer scratch = sharing.scratch(pool);
  MetaOutputs out = given;
  AlignedBuffer reads;
  if (out.u == nullptr) {
    reads = AlignedBuffer(static_cast<size_t>(sharing.heads * states.time * states.headSize));
    out.u = out.o = reads.data();
  }
  if (sharing.wholeHeads) {
    sharing.eachHead(pool, scratch,
                     [&](int64_t head, float* own) { path.meta.forwardHead(shape, in, out, head, own); });
    return;
  }
  wkv7Forward(pool, path, states, {in.q, in.w, in.k, in.v, in.a, in.b, in.wkv}, {out.u, nullptr, out.wkvCheckpoints});
  sharing.eachHead(pool, scratch, [&](int64_t head, float* own) {
    path.meta.write(shape, in.readGain, out.u, in.x, head, out.added, out.o, own);
  });
  // In place: a row of a state takes its value of a step before it puts its read there.
  wkv7Forward(pool, path, states, {in.r, in.w, in.k, out.o, in.a, in.b, in.meta},
              {out.o, out.metaAfter, out.metaCheckpoints});
  sharing.eachHead(pool, scratch, [&](int64_t head, float* own) {
    path.meta.remember(shape, in.memoryGain, out.o, head, out.added, own);
  });
}

// Back through M and then through S. Until S's gradients are written their places hold what is needed on the way: dv the
// adjoint of a read (of M, then of S: a share of rows takes its part of a chunk before it writes there), dq the values m.
void metaPassBackward(ThreadPool& pool, const SimdPath& path, const MetaShape& shape, const MetaInputs& in,
                      const MetaSaved& saved, const MetaGradients& out) {
  const Wkv7Shape& states = shape.states;
  const int64_t n = states.headSize;
  const int64_t recurrence = path.wkv7.backwardScratch(states, n);
  const Sharing sharing(pool, states, 52, std::max(recurrence, n));
  const AlignedBuffer scratch = sharing.scratch(pool);
  // Sums over the steps of a head, [head, 2, N]: those of batch entries are added in their order.
  const AlignedBuffer gains(static_cast<size_t>(sharing.heads * 2 * n));
  const auto gainOf = [&](int64_t head, int64_t which) { return gains.data() + (2 * head + which) * n; };

  const Wkv7GradInputs meta{in.r, in.w, in.k, out.dq, in.a, in.b, saved.metaCheckpoints, out.dv, saved.dMetaAfter};
  const Wkv7RowGradients metaRows{out.dx, out.dMeta};
  const Wkv7ColumnGradients metaColumns{out.dr, out.dw, out.dk, out.da, out.db, states.heads * n, false};
  const Wkv7GradInputs wkv{in.q, in.w, in.k, in.v, in.a, in.b, saved.wkvCheckpoints, out.dv, nullptr};
  const Wkv7RowGradients wkvRows{out.dv, out.dWkv};
  const Wkv7ColumnGradients wkvColumns{out.dq, out.dw, out.dk, out.da, out.db, states.heads * n, true};

  const auto beforeMeta = [&](int64_t head, float* own) {
    path.meta.readGrad(shape, in.memoryGain, saved.o, saved.dAdded, nullptr, head, out.dv, gainOf(head, 1), own);
    path.meta.write(shape, in.readGain, saved.u, in.x, head, nullptr, out.dq, own);
  };
  // The read of S is added to the token twice: as what is written to M, and as it is.
  const auto beforeWkv = [&](int64_t head, float* own) {
    path.meta.readGrad(shape, in.readGain, saved.u, saved.dAdded, out.dx, head, out.dv, gainOf(head, 0), own);
  };
  if (sharing.wholeHeads) {
    const auto columnsOf = [&](const Wkv7ColumnGradients& all, int64_t head) {
      const int64_t at = (head / states.heads * states.time * states.heads + head % states.heads) * n;
      return Wkv7ColumnGradients{all.dr + at, all.dw + at, all.dk + at, all.da + at,
                                 all.db + at, all.stride,  all.add};
    };
    sharing.eachHead(pool, scratch, [&](int64_t head, float* own) {
      beforeMeta(head, own);
      path.wkv7.backwardRows(states, meta, metaRows, columnsOf(metaColumns, head), head, 0, n, own);
      beforeWkv(head, own);
      path.wkv7.backwardRows(states, wkv, wkvRows, columnsOf(wkvColumns, head), head, 0, n, own);
    });
  } else {
    sharing.eachHead(pool, scratch, beforeMeta);
    wkv7Backward(pool, path, states, meta, metaRows, metaColumns);
    sharing.eachHead(pool, scratch, beforeWkv);
    wkv7Backward(pool, path, states, wkv, wkvRows, wkvColumns);
  }

  float* const to[] = {out.dReadGain, out.dMemoryGain};
  for (int64_t which = 0; which < 2; ++which) {
    for (int64_t h = 0; h < states.heads; ++h) {
      std::copy(gainOf(h, which), gainOf(h, which) + n, to[which] + h * n);
      for (int64_t entry = 1; entry < states.batch; ++entry) {
        path.ops.addTo(n, gainOf(entry * states.heads + h, which), to[which] + h * n);
      }
    }
  }
}

}  // namespace metastate
