// Dropout of activations, with the residual that it is added to: one pass forward, one backward, no mask in memory.
#include "dropout.h"

#include <ATen/core/Tensor.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "clones.h"
#include "guarded.h"
#include "kinds.h"

namespace {

constexpr int64_t GRAIN = 1 << 14;

template <typename S>
INLINE void drop_of(const MmcDropout& d, int64_t first, int64_t last, const S* x, const S* residual, S* out) {
  using T = Computed<S>;
  masked<T>(d, first, last, [&](int64_t from, int64_t count, const T* mask) {
    if (residual)
      for (int64_t i = 0; i < count; ++i)
        out[from + i] = static_cast<S>(static_cast<T>(residual[from + i]) + static_cast<T>(x[from + i]) * mask[i]);
    else
      for (int64_t i = 0; i < count; ++i) out[from + i] = static_cast<S>(static_cast<T>(x[from + i]) * mask[i]);
  });
}

#define DROP(S)                                                                                                      \
  CLONES void drop(const MmcDropout& d, int64_t first, int64_t last, const S* x, const S* residual, S* out) {       \
    drop_of(d, first, last, x, residual, out);                                                                      \
  }
DROP(float)
DROP(double)
DROP(c10::BFloat16)
DROP(c10::Half)

at::Tensor dropped(const MmcDropout& d, const at::Tensor& x, const at::Tensor& residual) {
  auto out = at::empty_like(x);
  with_kind(x.scalar_type(), [&](auto number) {
    using S = decltype(number);
    const S *from = x.const_data_ptr<S>(), *add = residual.defined() ? residual.const_data_ptr<S>() : nullptr;
    S* to = out.mutable_data_ptr<S>();
    at::parallel_for(0, x.numel(), GRAIN, [&](int64_t first, int64_t last) { drop(d, first, last, from, add, to); });
  });
  return out;
}

// Without a residual (`added` false) that argument is `x` once more, and gets no gradient: what gradients are of is defined.
struct Dropout : torch::autograd::Function<Dropout> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& residual,
                            bool added, MmcDropout d) {
    save(context->saved_data, d);
    context->saved_data["added"] = added;
    return dropped(d, x.contiguous(), added ? residual.contiguous() : at::Tensor());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    auto& saved = context->saved_data;
    auto by_x = dropped(saved_dropout(saved), gradients[0].contiguous(), at::Tensor());
    return {by_x, saved["added"].toBool() ? gradients[0] : at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

char* mmc_drop(void* x, void* residual, const MmcDropout* dropout, void** out) {
  return guarded([&] {
    auto& of = *static_cast<at::Tensor*>(x);
    auto& to = residual ? *static_cast<at::Tensor*>(residual) : of;
    auto result = Dropout::apply(of, to, residual != nullptr, *dropout);
    *out = new at::Tensor(std::move(result));
  });
}
