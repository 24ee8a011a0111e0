// The kinds of numbers that activations are kept in.
#pragma once
#include <ATen/core/Tensor.h>

// What numbers kept in a kind are computed in: those of 16 bits in 32.
template <typename S>
struct Arithmetic {
  using type = S;
};
template <>
struct Arithmetic<c10::BFloat16> {
  using type = float;
};
template <>
struct Arithmetic<c10::Half> {
  using type = float;
};
template <typename S>
using Computed = typename Arithmetic<S>::type;

// Calls `body` with a number of a kind.
template <typename Body>
void with_kind(at::ScalarType kind, Body body) {
  switch (kind) {
    case at::kDouble:
      return body(double());
    case at::kBFloat16:
      return body(c10::BFloat16());
    case at::kHalf:
      return body(c10::Half());
    default:
      return body(float());
  }
}
