// Which heads a thread takes through time side by side.
//
// From one step of a head to the next lie the other heads. Heads one after the other through all of time would read and
// write a few cache lines of each operand, far from the ones before, and each line at a border twice; a group of
// neighbours, some steps of each in turn, goes through what lies together. Their states wait in the second-level cache.
#pragma once

#include <algorithm>
#include <cstdint>

namespace metastate {

/// All batch entries' heads in even groups of neighbours, at least one for each thread where there are heads enough.
class HeadGroups {
 public:
  /// `floatsOfHead` of a head's states.
  HeadGroups(int64_t heads, int64_t floatsOfHead, int64_t threads) : heads_(heads) {
    const int64_t together = std::max<int64_t>(1, floatsTogether / floatsOfHead);
    const int64_t ofThread = (heads + threads - 1) / threads, rounds = (ofThread + together - 1) / together;
    count_ = std::min(heads, rounds * threads);
  }

  int64_t count() const { return count_; }
  int64_t first(int64_t group) const { return group * heads_ / count_; }
  int64_t size(int64_t group) const { return first(group + 1) - first(group); }
  int64_t largest() const { return (heads_ + count_ - 1) / count_; }

 private:
  /// 128 KiB: a part of any second-level cache of today.
  static constexpr int64_t floatsTogether = 32768;
  int64_t heads_, count_;
};

}  // namespace metastate
