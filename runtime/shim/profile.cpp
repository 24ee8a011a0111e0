// What libtorch computes, and when, as a trace that viewers such as Perfetto show.
#include "shim.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <set>

#include "guarded.h"

char* mmc_profile_begin(bool gpu) {
  return guarded([&] {
    using torch::profiler::impl::ActivityType;
    std::set<ActivityType> seen{ActivityType::CPU};
    if (gpu) seen.insert(ActivityType::CUDA);
    const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
    torch::autograd::profiler::prepareProfiler(config, seen);
    torch::autograd::profiler::enableProfiler(config, seen, {at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION});
  });
}

char* mmc_profile_end(const char* path) {
  return guarded([&] { torch::autograd::profiler::disableProfiler()->save(path); });
}
