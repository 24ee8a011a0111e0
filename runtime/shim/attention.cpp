// Attention of short sequences on processors, head by head, forward and backward. docs/model.md has the equations.
//
// Queries, keys and values are read where the linear maps left them, `[tokens, width]`, and results are written as the next
// map wants them: nothing is transposed, split or joined. Padded keys and masked positions are not computed. The weights of
// attention are not kept; the backward pass makes them again from the logarithms of their sums. What is kept in 16 bits is
// computed in 32.
#include "shim.h"

#include <ATen/core/Tensor.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "clones.h"
#include "dropout.h"
#include "guarded.h"
#include "kinds.h"

namespace {

// What all heads of a call have in common.
struct Shape {
  int64_t rows, queries, keys, heads, width;
  bool causal;
};

template <typename T>
struct Wide;
template <>
struct Wide<float> {
  typedef float type __attribute__((vector_size(32), aligned(4), may_alias));
  static constexpr int64_t lanes = 8;
};
template <>
struct Wide<double> {
  typedef double type __attribute__((vector_size(32), aligned(8), may_alias));
  static constexpr int64_t lanes = 4;
};

int64_t up(int64_t count, int64_t lanes) { return (count + lanes - 1) / lanes * lanes; }

// A block of `R` rows and `C` vectors of `c += a b`, kept in registers over the sum.
template <typename T, int R, int C>
INLINE void block(int64_t k, const T* a, int64_t row, int64_t column, const T* b, int64_t ldb, T* c, int64_t ldc) {
  using V = typename Wide<T>::type;
  constexpr int64_t L = Wide<T>::lanes;
  V sum[R][C] = {};
  for (int64_t p = 0; p < k; ++p) {
    V right[C];
    for (int y = 0; y < C; ++y) right[y] = *reinterpret_cast<const V*>(b + p * ldb + y * L);
    for (int x = 0; x < R; ++x) {
      const T left = a[x * row + p * column];
      for (int y = 0; y < C; ++y) sum[x][y] += left * right[y];
    }
  }
  for (int x = 0; x < R; ++x)
    for (int y = 0; y < C; ++y) *reinterpret_cast<V*>(c + x * ldc + y * L) = sum[x][y];
}

template <typename T, int C>
INLINE void columns(int64_t m, int64_t k, const T* a, int64_t row, int64_t column, const T* b, int64_t ldb, T* c,
                    int64_t ldc) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) block<T, 4, C>(k, a + i * row, row, column, b, ldb, c + i * ldc, ldc);
  for (; i < m; ++i) block<T, 1, C>(k, a + i * row, row, column, b, ldb, c + i * ldc, ldc);
}

// `c = a b`: `[m, k] [k, n]`, `n` a multiple of the vector's lanes. Element (i, p) of `a` is `a[i * row + p * column]`.
template <typename T>
INLINE void multiply(int64_t m, int64_t n, int64_t k, const T* a, int64_t row, int64_t column, const T* b, int64_t ldb,
                     T* c, int64_t ldc) {
  constexpr int64_t L = Wide<T>::lanes;
  int64_t j = 0;
  for (; j + 2 * L <= n; j += 2 * L) columns<T, 2>(m, k, a, row, column, b + j, ldb, c + j, ldc);
  for (; j < n; j += L) columns<T, 1>(m, k, a, row, column, b + j, ldb, c + j, ldc);
}

// Scratch of one thread for one head after another; zeros beyond the true sizes.
template <typename T>
struct Scratch {
  int64_t w, n;  // Width and keys, rounded up.
  std::vector<T> q, k, kt, v, vt, d, s, p, out, mask;
  Scratch(const Shape& g, bool backward, bool dropout)
      : w(up(g.width, Wide<T>::lanes)), n(up(g.keys, Wide<T>::lanes)), q(g.queries * w), k(g.keys * w), kt(w * n),
        v(g.keys * w), s(g.queries * n), out(std::max(g.queries, g.keys) * w), mask(dropout ? g.queries * g.keys : 0) {
    if (backward) {
      vt.resize(w * n);
      d.resize(g.queries * w);
      p.resize(g.queries * n);
    }
  }
};

// From the kind `S` that activations are kept in to the kind `T` that is computed in, and back.
template <typename S, typename T>
INLINE void gather(const S* from, int64_t stride, int64_t count, int64_t width, T* to, int64_t w) {
  for (int64_t i = 0; i < count; ++i)
    for (int64_t x = 0; x < width; ++x) to[i * w + x] = static_cast<T>(from[i * stride + x]);
}

template <typename T, typename S>
INLINE void scatter(const T* from, int64_t w, int64_t count, int64_t width, S* to, int64_t stride) {
  for (int64_t i = 0; i < count; ++i)
    for (int64_t x = 0; x < width; ++x) to[i * stride + x] = static_cast<S>(from[i * w + x]);
}

template <typename T>
INLINE void transposed(const T* from, int64_t w, int64_t count, T* to, int64_t n) {
  for (int64_t i = 0; i < count; ++i)
    for (int64_t x = 0; x < w; ++x) to[x * n + i] = from[i * w + x];
}

// Turns the pairs (2x, 2x + 1) of each row, x below `half`, by the angles of its position; `sign` -1 turns back.
template <typename T>
INLINE void turn(T* rows, int64_t count, int64_t half, int64_t w, const T* cosines, const T* sines, T sign) {
  for (int64_t i = 0; i < count; ++i) {
    T* row = rows + i * w;
    for (int64_t x = 0; x < half; ++x) {
      const T c = cosines[i * half + x], s = sign * sines[i * half + x], a = row[2 * x], b = row[2 * x + 1];
      row[2 * x] = a * c - b * s;
      row[2 * x + 1] = b * c + a * s;
    }
  }
}

// Where one head's numbers lie, kept in the kind `S`.
template <typename S>
struct Head {
  using T = Computed<S>;
  const S *q, *k, *v;
  int64_t q_stride, kv_stride;
  const MmcDropout* dropout;       // Of the weights; null without.
  int64_t first;                   // Where this head's weights begin in the mask of all heads.
  const T *cosines, *sines;        // Of positions, [positions, half]; null without.
  int64_t half;                    // Pairs that are turned.
  int64_t length;                  // Keys before the padding.
  T* sums;                         // [queries]: logarithms of the sums of exponentials.
};

template <typename S>
INLINE int64_t seen(const Shape& g, const Head<S>& h, int64_t query) {
  return g.causal ? std::min(h.length, query + 1) : h.length;
}

// The dropout of a head's weights, `[queries, keys]`; null without.
template <typename S, typename T>
INLINE const T* mask_of(const Shape& g, const Head<S>& h, Scratch<T>& t) {
  if (!h.dropout) return nullptr;
  masked<T>(*h.dropout, h.first, h.first + g.queries * g.keys, [&](int64_t from, int64_t count, const T* mask) {
    std::copy_n(mask, count, t.mask.data() + (from - h.first));
  });
  return t.mask.data();
}

template <typename S, typename T>
INLINE void scores(const Shape& g, const Head<S>& h, Scratch<T>& t) {
  gather(h.q, h.q_stride, g.queries, g.width, t.q.data(), t.w);
  gather(h.k, h.kv_stride, h.length, g.width, t.k.data(), t.w);
  if (h.cosines) {
    turn(t.q.data(), g.queries, h.half, t.w, h.cosines, h.sines, T(1));
    turn(t.k.data(), h.length, h.half, t.w, h.cosines, h.sines, T(1));
  }
  transposed(t.k.data(), t.w, h.length, t.kt.data(), t.n);
  const int64_t n = up(h.length, Wide<T>::lanes);
  multiply(g.queries, n, g.width, t.q.data(), t.w, int64_t(1), t.kt.data(), t.n, t.s.data(), t.n);
}

template <typename S, typename T>
INLINE void forward_head(const Shape& g, const Head<S>& h, S* out, int64_t out_stride, Scratch<T>& t) {
  const T scale = T(1) / std::sqrt(T(g.width));
  const T* mask = mask_of(g, h, t);
  scores(g, h, t);
  gather(h.v, h.kv_stride, h.length, g.width, t.v.data(), t.w);
  for (int64_t i = 0; i < g.queries; ++i) {
    T* s = t.s.data() + i * t.n;
    const int64_t open = seen(g, h, i);
    T top = -std::numeric_limits<T>::infinity(), sum = 0;
    for (int64_t j = 0; j < open; ++j) top = std::max(top, s[j]);
    for (int64_t j = 0; j < open; ++j) sum += s[j] = std::exp((s[j] - top) * scale);
    h.sums[i] = top * scale + std::log(sum);
    const T part = T(1) / sum;
    for (int64_t j = 0; j < open; ++j) s[j] *= mask ? part * mask[i * g.keys + j] : part;
    for (int64_t j = open; j < h.length; ++j) s[j] = 0;
  }
  multiply(g.queries, t.w, h.length, t.s.data(), t.n, int64_t(1), t.v.data(), t.w, t.out.data(), t.w);
  scatter(t.out.data(), t.w, g.queries, g.width, out, out_stride);
}

// Where a head's gradients go.
template <typename S>
struct Gradients {
  const S* out;  // Of the result.
  int64_t out_stride;
  S *q, *k, *v;
};

template <typename S, typename T>
INLINE void backward_head(const Shape& g, const Head<S>& h, const Gradients<S>& to, Scratch<T>& t) {
  const T scale = T(1) / std::sqrt(T(g.width));
  const int64_t n = up(h.length, Wide<T>::lanes);
  const T* mask = mask_of(g, h, t);
  scores(g, h, t);
  gather(h.v, h.kv_stride, h.length, g.width, t.v.data(), t.w);
  gather(to.out, to.out_stride, g.queries, g.width, t.d.data(), t.w);
  transposed(t.v.data(), t.w, h.length, t.vt.data(), t.n);
  // Gradient by the dropped weights, then by the scores; `s` becomes the dropped weights for the values' gradient.
  multiply(g.queries, n, g.width, t.d.data(), t.w, int64_t(1), t.vt.data(), t.n, t.p.data(), t.n);
  for (int64_t i = 0; i < g.queries; ++i) {
    T *s = t.s.data() + i * t.n, *p = t.p.data() + i * t.n;
    const int64_t open = seen(g, h, i);
    T dot = 0;
    for (int64_t j = 0; j < open; ++j) {
      s[j] = std::exp(s[j] * scale - h.sums[i]);
      if (mask) p[j] *= mask[i * g.keys + j];
      dot += s[j] * p[j];
    }
    for (int64_t j = 0; j < open; ++j) {
      p[j] = s[j] * (p[j] - dot) * scale;
      if (mask) s[j] *= mask[i * g.keys + j];
    }
    for (int64_t j = open; j < h.length; ++j) s[j] = p[j] = 0;
  }
  multiply(h.length, t.w, g.queries, t.s.data(), int64_t(1), t.n, t.d.data(), t.w, t.out.data(), t.w);
  scatter(t.out.data(), t.w, h.length, g.width, to.v, h.kv_stride);
  multiply(h.length, t.w, g.queries, t.p.data(), int64_t(1), t.n, t.q.data(), t.w, t.out.data(), t.w);
  if (h.cosines) turn(t.out.data(), h.length, h.half, t.w, h.cosines, h.sines, T(-1));
  scatter(t.out.data(), t.w, h.length, g.width, to.k, h.kv_stride);
  multiply(g.queries, t.w, h.length, t.p.data(), t.n, int64_t(1), t.k.data(), t.w, t.out.data(), t.w);
  if (h.cosines) turn(t.out.data(), g.queries, h.half, t.w, h.cosines, h.sines, T(-1));
  scatter(t.out.data(), t.w, g.queries, g.width, to.q, h.q_stride);
}

#define HEADS(S)                                                                                                      \
  CLONES void forward_of(const Shape& g, const Head<S>& h, S* out, int64_t stride, Scratch<Computed<S>>& t) {         \
    forward_head(g, h, out, stride, t);                                                                               \
  }                                                                                                                   \
  CLONES void backward_of(const Shape& g, const Head<S>& h, const Gradients<S>& to, Scratch<Computed<S>>& t) {        \
    backward_head(g, h, to, t);                                                                                       \
  }
HEADS(float)
HEADS(double)
HEADS(c10::BFloat16)
HEADS(c10::Half)

// The tensors of one call. `kv` is undefined for self-attention: then `q` holds queries, keys and values side by side.
struct Call {
  at::Tensor q, kv, lengths, cosines, sines;
  MmcDropout dropout;
  Shape shape;
};

template <typename T>
const T* pointer(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<T>() : nullptr;
}

template <typename S>
Head<S> head_of(const Call& c, const at::Tensor& sums, int64_t at) {
  using T = Computed<S>;
  const Shape& g = c.shape;
  const int64_t row = at / g.heads, head = at % g.heads, dim = g.heads * g.width;
  const bool self = !c.kv.defined();
  Head<S> h;
  h.q_stride = self ? 3 * dim : dim;
  h.kv_stride = self ? 3 * dim : 2 * dim;
  h.q = pointer<S>(c.q) + row * g.queries * h.q_stride + head * g.width;
  const S* keys = self ? pointer<S>(c.q) + dim : pointer<S>(c.kv);
  h.k = keys + row * g.keys * h.kv_stride + head * g.width;
  h.v = h.k + dim;
  h.dropout = c.dropout.dropped ? &c.dropout : nullptr;
  h.first = at * g.queries * g.keys;
  h.cosines = pointer<T>(c.cosines);
  h.sines = pointer<T>(c.sines);
  h.half = c.cosines.defined() ? c.cosines.size(1) : 0;
  h.length = c.lengths.defined() ? pointer<int64_t>(c.lengths)[row] : g.keys;
  h.sums = sums.mutable_data_ptr<T>() + at * g.queries;
  return h;
}

template <typename S>
void forward_all(const Call& c, at::Tensor& out, at::Tensor& sums) {
  const Shape& g = c.shape;
  S* to = out.mutable_data_ptr<S>();
  const int64_t dim = g.heads * g.width;
  at::parallel_for(0, g.rows * g.heads, 16, [&](int64_t from, int64_t until) {
    Scratch<Computed<S>> scratch(g, false, c.dropout.dropped);
    for (int64_t at = from; at < until; ++at)
      forward_of(g, head_of<S>(c, sums, at), to + at / g.heads * g.queries * dim + at % g.heads * g.width, dim, scratch);
  });
}

template <typename S>
void backward_all(const Call& c, const at::Tensor& sums, const at::Tensor& by_out, at::Tensor& by_q, at::Tensor& by_kv) {
  const Shape& g = c.shape;
  const int64_t dim = g.heads * g.width;
  const S *q = pointer<S>(c.q), *kv = c.kv.defined() ? pointer<S>(c.kv) : q;
  S *to_q = by_q.mutable_data_ptr<S>(), *to_kv = c.kv.defined() ? by_kv.mutable_data_ptr<S>() : to_q;
  at::parallel_for(0, g.rows * g.heads, 16, [&](int64_t from, int64_t until) {
    Scratch<Computed<S>> scratch(g, true, c.dropout.dropped);
    for (int64_t at = from; at < until; ++at) {
      const Head<S> h = head_of<S>(c, sums, at);
      // Gradients lie as the tensors that they are of.
      Gradients<S> to{pointer<S>(by_out) + at / g.heads * g.queries * dim + at % g.heads * g.width, dim,
                      to_q + (h.q - q), to_kv + (h.k - kv), to_kv + (h.v - kv)};
      backward_of(g, h, to, scratch);
      for (int64_t j = h.length; j < g.keys; ++j) {
        std::fill_n(to.k + j * h.kv_stride, g.width, S(0));
        std::fill_n(to.v + j * h.kv_stride, g.width, S(0));
      }
    }
  });
}

// `q` and `kv` are what gradients are of; for self-attention `kv` is `q` once more, and gets none.
struct Attention : torch::autograd::Function<Attention> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& kv, Call c) {
    c.q = q.contiguous();
    if (c.kv.defined()) c.kv = kv.contiguous();
    const Shape& g = c.shape;
    auto out = at::empty({g.rows * g.queries, g.heads * g.width}, q.options());
    const auto computed = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    auto sums = at::empty({g.rows, g.heads, g.queries}, q.options().dtype(computed));
    with_kind(q.scalar_type(), [&](auto number) { forward_all<decltype(number)>(c, out, sums); });
    context->save_for_backward({c.q, c.kv, c.lengths, c.cosines, c.sines, sums});
    save(context->saved_data, c.dropout);
    context->saved_data["shape"] = std::vector<int64_t>{g.rows, g.queries, g.keys, g.heads, g.width};
    context->saved_data["causal"] = g.causal;
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto shape = context->saved_data["shape"].toIntVector();
    Call c{saved[0], saved[1], saved[2], saved[3], saved[4], saved_dropout(context->saved_data),
           {shape[0], shape[1], shape[2], shape[3], shape[4], context->saved_data["causal"].toBool()}};
    auto by_out = gradients[0].contiguous();
    auto by_q = at::empty_like(c.q);
    at::Tensor by_kv = c.kv.defined() ? at::empty_like(c.kv) : at::Tensor();
    with_kind(by_q.scalar_type(), [&](auto number) {
      backward_all<decltype(number)>(c, saved[5], by_out, by_q, by_kv);
    });
    return {by_q, by_kv, at::Tensor()};
  }
};

at::Tensor optional(void* pointer) { return pointer ? *static_cast<at::Tensor*>(pointer) : at::Tensor(); }

}  // namespace

char* mmc_attention(void* q, void* kv, void* lengths, void* cosines, void* sines, const MmcDropout* dropout,
                    const int64_t* shape, bool causal, void** out) {
  return guarded([&] {
    Call c{optional(q), optional(kv), optional(lengths), optional(cosines), optional(sines), *dropout,
           {shape[0], shape[1], shape[2], shape[3], shape[4], causal}};
    auto result = Attention::apply(c.q, c.kv.defined() ? c.kv : c.q, c);
    *out = new at::Tensor(std::move(result));
  });
}
