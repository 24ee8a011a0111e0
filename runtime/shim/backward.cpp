#include <ATen/ATen.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <vector>

#include "guarded.h"
#include "shim.h"

namespace {

using torch::autograd::impl::set_post_acc_grad_hooks;

at::Tensor& tensor(void* pointer) { return *static_cast<at::Tensor*>(pointer); }

// Groups of leaves whose gradients are awaited.
struct Awaited {
  std::vector<int64_t> left;
  MmcDone done;
  void* context;
};

// Counts a leaf's gradient when it is there.
struct Arrival final : torch::autograd::PostAccumulateGradHook {
  Arrival(Awaited& awaited, int64_t group) : awaited(awaited), group(group) {}

  void operator()(const torch::autograd::Variable&) override {
    if (--awaited.left[group] == 0) awaited.done(awaited.context, group);
  }

  Awaited& awaited;
  int64_t group;
};

}  // namespace

char* mmc_backward(void* root, void* const* leaves, const int64_t* group_of, int64_t count, int64_t groups, MmcDone done,
                   void* context) {
  Awaited awaited{std::vector<int64_t>(groups), done, context};
  char* message = guarded([&] {
    for (int64_t i = 0; i < count; ++i) {
      ++awaited.left[group_of[i]];
      set_post_acc_grad_hooks(tensor(leaves[i]), std::make_unique<Arrival>(awaited, group_of[i]));
    }
    tensor(root).backward();
  });
  // Whatever came of it, no hook stays behind.
  for (int64_t i = 0; i < count; ++i) set_post_acc_grad_hooks(tensor(leaves[i]), nullptr);
  return message;
}
