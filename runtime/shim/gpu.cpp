// A GPU as libtorch sees it, and sums over ranks by NCCL (RCCL for AMD's GPUs, with the same names).
//
// Nothing here needs a vendor's headers: libtorch's library for GPUs is opened when a worker asks for one, and NCCL's functions
// are looked up by name. So a worker built against libtorch for processors serves GPUs with a full libtorch in its path.
#include "shim.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "guarded.h"

namespace {

// libtorch calls AMD's so too.
constexpr auto GPU = c10::DeviceType::CUDA;

c10::Device device_of(int number) { return c10::Device(GPU, static_cast<c10::DeviceIndex>(number)); }

// Opens the first of some libraries that is there; null, and the reasons, when none is.
void* opened(std::initializer_list<const char*> names, std::string& reasons) {
  for (const char* name : names) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_GLOBAL)) return library;
    reasons += (reasons.empty() ? "" : "; ") + std::string(dlerror());
  }
  return nullptr;
}

// From nccl.h, unchanged since version 2.0.
struct UniqueId {
  char bytes[128];
};
using Communicator = void*;
constexpr int SUM = 0, FLOAT64 = 8, SUCCESS = 0;

struct Nccl {
  int (*get_unique_id)(UniqueId*);
  int (*init_rank)(Communicator*, int size, UniqueId, int rank);
  int (*all_reduce)(const void* from, void* to, size_t count, int kind, int operation, Communicator, void* stream);
  int (*async_error)(Communicator, int* fault);
  int (*abort)(Communicator);
  const char* (*words)(int result);

  Nccl() {
    // The copy that libtorch has loaded, else one of its own.
    void* library = RTLD_DEFAULT;
    std::string reasons;
    if (!dlsym(library, "ncclAllReduce")) {
      library = opened({"libnccl.so.2", "librccl.so.1"}, reasons);
      if (!library) throw std::runtime_error("no NCCL: " + reasons);
    }
    find(library, "ncclGetUniqueId", get_unique_id);
    find(library, "ncclCommInitRank", init_rank);
    find(library, "ncclAllReduce", all_reduce);
    find(library, "ncclCommGetAsyncError", async_error);
    find(library, "ncclCommAbort", abort);
    find(library, "ncclGetErrorString", words);
  }

  template <typename F>
  static void find(void* library, const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(library, name));
    if (!function) throw std::runtime_error(std::string("NCCL has no ") + name);
  }
};

const Nccl& nccl() {
  static const Nccl functions;
  return functions;
}

void checked(int result) {
  if (result != SUCCESS) throw std::runtime_error(std::string("NCCL: ") + nccl().words(result));
}

struct Group {
  Communicator communicator = nullptr;
  c10::Device device;
};

// Where the sums of all communicators run: one after the other, beside what libtorch computes. A process uses one GPU.
const c10::Stream& beside(c10::Device device) {
  static const c10::Stream stream = c10::impl::VirtualGuardImpl(GPU).getStreamFromGlobalPool(device, true);
  return stream;
}

}  // namespace

char* mmc_gpu_count(int* count) {
  return guarded([&] {
    std::string reasons;
    if (!opened({"libtorch_cuda.so", "libtorch_hip.so"}, reasons))
      throw std::runtime_error("this libtorch is for processors alone (" + reasons + ")");
    *count = at::globalContext().hasCUDA() ? c10::impl::VirtualGuardImpl(GPU).deviceCount() : 0;
  });
}

char* mmc_gpu_use(int number) {
  return guarded([&] {
    // The same numbers again, run after run; what has no such kernel says so. Sums over parts of 16-bit products are made in 32 bits.
    const bool chosen = getenv("CUBLAS_WORKSPACE_CONFIG") != nullptr;
    if (!chosen) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
    at::Context& context = at::globalContext();
    context.setDeterministicAlgorithms(true, true);
    context.setDeterministicFillUninitializedMemory(false);
    // cuDNN plans its attention anew for every shape, and nearly every batch has one of its own: 20 ms for each layer of each step.
    context.setSDPUseCuDNN(false);
    context.setAllowFP16ReductionCuBLAS(false);
    context.setAllowBF16ReductionCuBLAS(false);
    context.lazyInitDevice(GPU);
    c10::impl::VirtualGuardImpl(GPU).setDevice(device_of(number));
    if (chosen) return;
    // libtorch looks for this variable once, to say whether products are the same again, and then parses it in every product, which
    // takes 80 us. They are the same without it: each stream has a workspace of its own.
    const at::Tensor one = at::ones({1, 1}, at::TensorOptions(device_of(number)));
    at::mm(one, one);
    unsetenv("CUBLAS_WORKSPACE_CONFIG");
  });
}

char* mmc_gpu_enter(int number) {
  return guarded([&] { c10::impl::VirtualGuardImpl(GPU).setDevice(device_of(number)); });
}

char* mmc_gpu_send(void* tensor, int number, void** out) {
  return guarded([&] {
    const at::Tensor here = static_cast<at::Tensor*>(tensor)->pin_memory();
    *out = new at::Tensor(here.to(device_of(number), here.scalar_type(), true));
  });
}

char* mmc_gpu_peak(int number, int64_t* bytes) {
  return guarded([&] {
    // The first of several statistics is of all memory together.
    *bytes = at::getDeviceAllocator(GPU)->getDeviceStats(device_of(number).index()).reserved_bytes[0].peak;
  });
}

char* mmc_nccl_id(uint8_t* id) {
  return guarded([&] {
    UniqueId made;
    checked(nccl().get_unique_id(&made));
    std::memcpy(id, made.bytes, sizeof made.bytes);
  });
}

char* mmc_nccl_new(const uint8_t* id, int rank, int size, int number, void** group) {
  return guarded([&] {
    c10::DeviceGuard guard(device_of(number));
    UniqueId from;
    std::memcpy(from.bytes, id, sizeof from.bytes);
    auto made = std::make_unique<Group>(Group{nullptr, device_of(number)});
    checked(nccl().init_rank(&made->communicator, size, from, rank));
    *group = made.release();
  });
}

void mmc_nccl_delete(void* group) {
  auto* of = static_cast<Group*>(group);
  // Does not wait for the other ranks, which may be gone.
  if (of->communicator) nccl().abort(of->communicator);
  delete of;
}

char* mmc_nccl_sum(void* group, void* tensor, void** sum) {
  return guarded([&] {
    auto& of = *static_cast<Group*>(group);
    auto& x = *static_cast<at::Tensor*>(tensor);
    TORCH_CHECK(x.is_contiguous() && x.scalar_type() == at::kDouble && x.device() == of.device,
                "a sum of what is not flat, not of 64 bits, or not on ", of.device);
    c10::DeviceGuard guard(of.device);
    const c10::impl::VirtualGuardImpl libtorch(GPU);
    const c10::Stream& stream = beside(of.device);
    c10::Event ready(GPU);
    ready.record(libtorch.getStream(of.device));
    ready.block(stream);
    checked(nccl().all_reduce(x.const_data_ptr(), x.mutable_data_ptr(), x.numel(), FLOAT64, SUM, of.communicator,
                              libtorch.getStreamNativeHandle(stream)));
    auto end = std::make_unique<c10::Event>(GPU);
    end->record(stream);
    *sum = end.release();
  });
}

void mmc_nccl_sum_delete(void* sum) { delete static_cast<c10::Event*>(sum); }

char* mmc_nccl_done(void* group, void* sum, bool* done) {
  return guarded([&] {
    auto& of = *static_cast<Group*>(group);
    int fault = SUCCESS;
    checked(nccl().async_error(of.communicator, &fault));
    checked(fault);
    *done = static_cast<c10::Event*>(sum)->query();
  });
}
