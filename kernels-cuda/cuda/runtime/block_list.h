// Memory that was freed and waits for the next request of its size. A model that writes asks for the same sizes token after
// token, and the driver would be asked for each: twice some microsecond, beside launches that take as long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace metastate::cuda {

class BlockList {
 public:
  void put(void* block, size_t size) {
    blocks_[size].push_back(block);
    bytes_ += size;
  }

  /// The block of this size that was put last; null when there is none.
  void* take(size_t size) {
    const auto found = blocks_.find(size);
    if (found == blocks_.end() || found->second.empty()) return nullptr;
    void* const block = found->second.back();
    found->second.pop_back();
    bytes_ -= size;
    return block;
  }

  /// All of them; none is left.
  std::vector<void*> takeAll() {
    std::vector<void*> all;
    for (const auto& [size, blocks] : blocks_) all.insert(all.end(), blocks.begin(), blocks.end());
    blocks_.clear();
    bytes_ = 0;
    return all;
  }

  uint64_t bytes() const { return bytes_; }

 private:
  std::unordered_map<size_t, std::vector<void*>> blocks_;
  uint64_t bytes_ = 0;
};

}  // namespace metastate::cuda
