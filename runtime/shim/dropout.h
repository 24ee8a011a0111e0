// Dropout masks from counter-based random numbers (SplitMix64): element `i` takes 16 bits of word `i / 4` of a stream, so
// that any part of a mask is made where it is needed, and made again for the gradients: masks are not kept.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>

#include <torch/csrc/autograd/custom_function.h>

#include "clones.h"
#include "shim.h"

using SavedData = decltype(torch::autograd::AutogradContext::saved_data);

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "draws are read as the bytes of words lie");

// Elements that `mask_block` makes at once.
constexpr int64_t MASK_BLOCK = 256;

// Writes 0 for dropped elements and the scale for others to `mask`: those of a block that starts at word `word`.
template <typename T>
INLINE void mask_block(const MmcDropout& d, uint64_t word, T* mask) {
  uint64_t words[MASK_BLOCK / 4];
  uint16_t draws[MASK_BLOCK];
  for (int64_t i = 0; i < MASK_BLOCK / 4; ++i) {
    uint64_t z = d.state + (word + i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    words[i] = z ^ (z >> 31);
  }
  std::memcpy(draws, words, sizeof words);
  const uint16_t dropped = d.dropped;
  const T scale = static_cast<T>(d.scale);
  for (int64_t i = 0; i < MASK_BLOCK; ++i) mask[i] = draws[i] < dropped ? T(0) : scale;
}

// Calls `body(from, count, mask)` for parts of the elements `first` to `last`; `mask` holds those from `from` on.
template <typename T, typename Body>
INLINE void masked(const MmcDropout& d, int64_t first, int64_t last, Body body) {
  T mask[MASK_BLOCK];
  while (first < last) {
    const int64_t skip = first % 4, count = std::min(MASK_BLOCK - skip, last - first);
    mask_block(d, first / 4, mask);
    body(first, count, mask + skip);
    first += count;
  }
}

// What a backward pass needs to make the masks again.
static inline void save(SavedData& saved, const MmcDropout& d) {
  saved["state"] = static_cast<int64_t>(d.state);
  saved["dropped"] = static_cast<int64_t>(d.dropped);
  saved["scale"] = d.scale;
}

static inline MmcDropout saved_dropout(SavedData& saved) {
  return {static_cast<uint64_t>(saved["state"].toInt()), static_cast<uint16_t>(saved["dropped"].toInt()),
          saved["scale"].toDouble()};
}
