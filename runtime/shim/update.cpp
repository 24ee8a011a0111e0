// Sums of gradients and the update of parameters, each one pass over a module's flat tensors.
// docs/decisions/0003-sums-in-64-bits.md says why sums have 64 bits.
#include "shim.h"

#include <ATen/core/Tensor.h>
#include <ATen/Parallel.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "clones.h"
#include "guarded.h"

namespace {

constexpr int64_t GRAIN = 1 << 16;

at::Tensor& tensor(void* pointer) { return *static_cast<at::Tensor*>(pointer); }

CLONES void gather(float* gradient, double* sum, int64_t count, bool fresh) {
  if (fresh)
    for (int64_t i = 0; i < count; ++i) sum[i] = gradient[i];
  else
    for (int64_t i = 0; i < count; ++i) sum[i] += gradient[i];
  for (int64_t i = 0; i < count; ++i) gradient[i] = 0;
}

// Leading 24 bits and the rest are summed apart: the first sum is exact.
CLONES void gather_parts(double* gradient, double* sum, double* rest, int64_t count, bool fresh) {
  for (int64_t i = 0; i < count; ++i) {
    const double head = static_cast<float>(gradient[i]), tail = gradient[i] - head;
    sum[i] = fresh ? head : sum[i] + head;
    rest[i] = fresh ? tail : rest[i] + tail;
    gradient[i] = 0;
  }
}

template <typename G>
INLINE double squares_of(const G* gradient, const double* rest, int64_t count) {
  // Eight sums, so that additions need not wait for each other.
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int64_t x = 0; x < 8; ++x) {
      const double g = rest ? gradient[i + x] + rest[i + x] : gradient[i + x];
      sums[x] += g * g;
    }
  for (; i < count; ++i) {
    const double g = rest ? gradient[i] + rest[i] : gradient[i];
    sums[0] += g * g;
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

CLONES double squares(const float* gradient, const double* rest, int64_t count) {
  return squares_of(gradient, rest, count);
}
CLONES double squares(const double* gradient, const double* rest, int64_t count) {
  return squares_of(gradient, rest, count);
}

template <typename T, typename G>
INLINE void adamw_of(T* parameter, const G* gradient, const double* rest, T* mean, T* square, int64_t count,
                     double scale, const MmcAdamW& a) {
  const double correct_mean = 1 - std::pow(a.beta1, a.step), correct_square = 1 - std::pow(a.beta2, a.step);
  const T decay = 1 - a.lr * a.weight_decay, rate = a.lr / correct_mean, root = 1 / std::sqrt(correct_square);
  const T b1 = a.beta1, b2 = a.beta2, one1 = 1 - a.beta1, one2 = 1 - a.beta2, eps = a.eps;
  for (int64_t i = 0; i < count; ++i) {
    const T g = (rest ? gradient[i] + rest[i] : static_cast<double>(gradient[i])) * scale;
    const T m = b1 * mean[i] + one1 * g, v = b2 * square[i] + one2 * (g * g);
    mean[i] = m;
    square[i] = v;
    parameter[i] = decay * parameter[i] - rate * m / (std::sqrt(v) * root + eps);
  }
}

#define ADAMW(T, G)                                                                                            \
  CLONES void adamw(T* p, const G* g, const double* rest, T* m, T* v, int64_t count, double scale,            \
                    const MmcAdamW& a) {                                                                       \
    adamw_of<T, G>(p, g, rest, m, v, count, scale, a);                                                        \
  }
ADAMW(float, float)
ADAMW(float, double)
ADAMW(double, double)

const double* optional(void* rest, int64_t from) {
  return rest ? tensor(rest).const_data_ptr<double>() + from : nullptr;
}

template <typename T, typename G>
void adamw_all(void* parameter, void* gradient, void* rest, void* mean, void* square, double scale, const MmcAdamW& a) {
  T* p = tensor(parameter).mutable_data_ptr<T>();
  const G* g = tensor(gradient).const_data_ptr<G>();
  T* m = tensor(mean).mutable_data_ptr<T>();
  T* v = tensor(square).mutable_data_ptr<T>();
  at::parallel_for(0, tensor(parameter).numel(), GRAIN, [&](int64_t from, int64_t until) {
    adamw(p + from, g + from, optional(rest, from), m + from, v + from, until - from, scale, a);
  });
}

}  // namespace

char* mmc_gather(void* gradient, void* sum, void* rest, bool fresh) {
  return guarded([&] {
    double* to = tensor(sum).mutable_data_ptr<double>();
    at::Tensor& from = tensor(gradient);
    at::parallel_for(0, from.numel(), GRAIN, [&](int64_t at, int64_t until) {
      if (rest)
        gather_parts(from.mutable_data_ptr<double>() + at, to + at, tensor(rest).mutable_data_ptr<double>() + at,
                     until - at, fresh);
      else
        gather(from.mutable_data_ptr<float>() + at, to + at, until - at, fresh);
    });
  });
}

char* mmc_squares(void* gradient, void* rest, double* sum) {
  return guarded([&] {
    // Partial sums of fixed blocks: the same bits on any number of threads.
    at::Tensor& of = tensor(gradient);
    const int64_t count = of.numel(), blocks = (count + GRAIN - 1) / GRAIN;
    std::vector<double> parts(blocks);
    at::parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
      for (int64_t block = first; block < last; ++block) {
        const int64_t from = block * GRAIN, size = std::min(GRAIN, count - from);
        parts[block] = of.scalar_type() == at::kDouble
                           ? squares(of.const_data_ptr<double>() + from, optional(rest, from), size)
                           : squares(of.const_data_ptr<float>() + from, nullptr, size);
      }
    });
    *sum = 0;
    for (double part : parts) *sum += part;
  });
}

char* mmc_adamw(void* parameter, void* gradient, void* rest, void* mean, void* square, double scale,
                const MmcAdamW* constants) {
  return guarded([&] {
    const bool wide = tensor(gradient).scalar_type() == at::kDouble;
    if (tensor(parameter).scalar_type() == at::kDouble)
      adamw_all<double, double>(parameter, gradient, rest, mean, square, scale, *constants);
    else if (wide)
      adamw_all<float, double>(parameter, gradient, rest, mean, square, scale, *constants);
    else
      adamw_all<float, float>(parameter, gradient, rest, mean, square, scale, *constants);
  });
}

char* mmc_adamw_fused(void* parameter, void* gradient, void* mean, void* square, const MmcAdamW* constants) {
  return guarded([&] {
    const MmcAdamW& a = *constants;
    const at::Tensor& on = tensor(parameter);
    const at::Tensor update = at::full({}, a.step, on.options().dtype(at::kFloat));
    at::_fused_adamw_({on}, {tensor(gradient)}, {tensor(mean)}, {tensor(square)}, {}, {update}, a.lr, a.beta1, a.beta2,
                      a.weight_decay, a.eps, /*amsgrad=*/false, /*maximize=*/false);
  });
}
