#include "meta/meta_pass.h"

#include <algorithm>

#include "simd/aligned_buffer.h"
#include "simd/flush_denormals.h"
#include "wkv7/head_groups.h"
#include "wkv7/wkv7.h"

namespace metastate {
namespace {

/// Below about 20 microseconds of one core's work, waking other threads costs more than they do.
constexpr double worthThreads = 5e5;  // floating point operations

/// How a call is shared out. Heads are whole where that keeps the threads busy: nothing then leaves a core between the
/// states. Where there are fewer heads than threads, or hardly more, each recurrence shares the rows of its heads.
struct Sharing {
  int64_t heads;  ///< of all batch entries
  bool threaded, wholeHeads;
  HeadGroups groups;

  Sharing(const ThreadPool& pool, const Wkv7Shape& shape, double operationsOfElement)
      : heads(shape.batch * shape.heads),
        threaded(pool.threads() > 1 && worth(shape, operationsOfElement)),
        wholeHeads(!threaded || 6 * heads >= 5 * ((heads + pool.threads() - 1) / pool.threads()) * pool.threads()),
        groups(heads, 2 * shape.headSize * shape.headSize, threaded ? pool.threads() : 1) {}

  /// task(first head, heads, scratch) with so many floats of scratch.
  template <typename Task>
  void eachGroup(ThreadPool& pool, int64_t scratch, Task task) const {
    const int64_t stride = (scratch + 31) / 16 * 16;
    const AlignedBuffer buffer(static_cast<size_t>(stride * (threaded ? pool.threads() : 1)));
    const auto one = [&](int64_t group, int slot) {
      const FlushDenormals flush;
      task(groups.first(group), groups.size(group), buffer.data() + stride * slot);
    };
    if (threaded) {
      pool.run(groups.count(), one);
    } else {
      for (int64_t group = 0; group < groups.count(); ++group) one(group, 0);
    }
  }

 private:
  static bool worth(const Wkv7Shape& shape, double operationsOfElement) {
    const double steps = static_cast<double>(shape.batch * shape.heads * shape.time);
    return operationsOfElement * steps * static_cast<double>(shape.headSize * shape.headSize) >= worthThreads;
  }
};

}  // namespace

void metaPassForward(ThreadPool& pool, const SimdPath& path, const MetaShape& shape, const MetaInputs& in,
                     const MetaOutputs& given) {
  const Wkv7Shape& states = shape.states;
  const int64_t n = states.headSize;
  const Sharing sharing(pool, states, 18);
  MetaOutputs out = given;
  AlignedBuffer reads;
  if (out.u == nullptr) {
    reads = AlignedBuffer(static_cast<size_t>(sharing.heads * states.time * n));
    out.u = out.o = reads.data();
  }
  if (sharing.wholeHeads) {
    sharing.eachGroup(pool, path.meta.forwardScratch(n, sharing.groups.largest()),
                      [&](int64_t first, int64_t heads, float* own) {
                        path.meta.forwardHeads(shape, in, out, first, heads, own);
                      });
    return;
  }
  wkv7Forward(pool, path, states, {in.q, in.w, in.k, in.v, in.a, in.b, in.wkv}, {out.u, nullptr, out.wkvCheckpoints});
  sharing.eachGroup(pool, 0, [&](int64_t first, int64_t heads, float*) {
    path.meta.write(shape, in.readGain, out.u, in.x, first, heads, out.added, out.o);
  });
  // In place: a row of a state takes its value of a step before it puts its read there.
  wkv7Forward(pool, path, states, {in.r, in.w, in.k, out.o, in.a, in.b, in.meta},
              {out.o, out.metaAfter, out.metaCheckpoints});
  sharing.eachGroup(pool, 0, [&](int64_t first, int64_t heads, float*) {
    path.meta.remember(shape, in.memoryGain, out.o, first, heads, out.added);
  });
}

// Back through M and then through S. Until S's gradients are written their places hold what is needed on the way: dv the
// adjoint of a read (of M, then of S: a share of rows takes its part of a chunk before it writes there), dq the values m.
void metaPassBackward(ThreadPool& pool, const SimdPath& path, const MetaShape& shape, const MetaInputs& in,
                      const MetaSaved& saved, const MetaGradients& out) {
  const Wkv7Shape& states = shape.states;
  const int64_t n = states.headSize;
  const Sharing sharing(pool, states, 52);
  // Sums over the steps of a head, [head, 2, N]: those of batch entries are added in their order.
  const AlignedBuffer gains(static_cast<size_t>(sharing.heads * 2 * n));
  const auto gainOf = [&](int64_t head, int64_t which) { return gains.data() + (2 * head + which) * n; };

  const Wkv7GradInputs meta{in.r, in.w, in.k, out.dq, in.a, in.b, saved.metaCheckpoints, out.dv, saved.dMetaAfter};
  const Wkv7RowGradients metaRows{out.dx, out.dMeta};
  const int64_t stride = states.heads * n, entry = states.time * stride;
  const Wkv7ColumnGradients metaColumns{out.dr, out.dw, out.dk, out.da, out.db, entry, n, stride, false};
  const Wkv7GradInputs wkv{in.q, in.w, in.k, in.v, in.a, in.b, saved.wkvCheckpoints, out.dv, nullptr};
  const Wkv7RowGradients wkvRows{out.dv, out.dWkv};
  const Wkv7ColumnGradients wkvColumns{out.dq, out.dw, out.dk, out.da, out.db, entry, n, stride, true};

  const auto beforeMeta = [&](int64_t first, int64_t heads, float*) {
    path.meta.readGrad(shape, in.memoryGain, saved.o, saved.dAdded, nullptr, first, heads, out.dv, gainOf(first, 1),
                       2 * n);
    path.meta.write(shape, in.readGain, saved.u, in.x, first, heads, nullptr, out.dq);
  };
  // The read of S is added to the token twice: as what is written to M, and as it is.
  const auto beforeWkv = [&](int64_t first, int64_t heads, float*) {
    path.meta.readGrad(shape, in.readGain, saved.u, saved.dAdded, out.dx, first, heads, out.dv, gainOf(first, 0),
                       2 * n);
  };
  if (sharing.wholeHeads) {
    const int64_t recurrence = path.wkv7.backwardScratch(states, sharing.groups.largest(), n);
    sharing.eachGroup(pool, recurrence, [&](int64_t first, int64_t heads, float* own) {
      beforeMeta(first, heads, own);
      path.wkv7.backwardRows(states, meta, metaRows, metaColumns, first, heads, 0, n, own);
      beforeWkv(first, heads, own);
      path.wkv7.backwardRows(states, wkv, wkvRows, wkvColumns, first, heads, 0, n, own);
    });
  } else {
    sharing.eachGroup(pool, 0, beforeMeta);
    wkv7Backward(pool, path, states, meta, metaRows, metaColumns);
    sharing.eachGroup(pool, 0, beforeWkv);
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
