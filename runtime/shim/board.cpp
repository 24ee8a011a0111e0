// What processes of one machine do with memory that they share: wait for each other, and add up what each wrote there.
#include "shim.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clones.h"
#include "guarded.h"

namespace {

// Numbers that stay in the first cache while rows are added to them.
constexpr int64_t BLOCK = 1024;

// Looks at a counter before the thread sleeps: some microseconds, in which members that come at the same time meet.
constexpr int LOOKS = 2000;

// Members do not write to each other's cache lines.
constexpr int64_t LINE = 64 / sizeof(uint32_t);

CLONES void sum_rows(const double* rows, int64_t stride, int64_t members, double* sum, int64_t count) {
  for (int64_t from = 0; from < count; from += BLOCK) {
    const int64_t to = std::min(from + BLOCK, count);
    for (int64_t i = from; i < to; ++i) sum[i] = rows[i];
    for (int64_t member = 1; member < members; ++member) {
      const double* row = rows + member * stride;
      for (int64_t i = from; i < to; ++i) sum[i] += row[i];
    }
  }
}

uint32_t seen(const uint32_t* counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }

// Whether a member whose counter is at `count` has arrived as often as `number`; both wrap around.
bool arrived(uint32_t count, uint32_t number) { return static_cast<int32_t>(count - number) >= 0; }

// Sleeps until a counter is no longer `value`, or for a second.
void sleep_on(uint32_t* counter, uint32_t value) {
  const timespec second = {1, 0};
  syscall(SYS_futex, counter, FUTEX_WAIT, value, &second, nullptr, 0);
}

}  // namespace

char* mmc_meet(void* counters, int64_t place, uint32_t number, int64_t timeout_ms) {
  return guarded([=] {
    auto& tensor = *static_cast<at::Tensor*>(counters);
    const int64_t members = tensor.numel() * static_cast<int64_t>(sizeof(double)) / 64;
    TORCH_CHECK(tensor.is_contiguous() && place >= 0 && place < members, "a counter for each member");
    auto* const first = reinterpret_cast<uint32_t*>(tensor.data_ptr<double>());
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    uint32_t* const own = first + place * LINE;
    __atomic_store_n(own, number, __ATOMIC_RELEASE);
    syscall(SYS_futex, own, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    for (int64_t member = 0; member < members; ++member) {
      uint32_t* const counter = first + member * LINE;
      for (int looks = 0; looks < LOOKS && !arrived(seen(counter), number); ++looks) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      }
      for (uint32_t count = seen(counter); !arrived(count, number); count = seen(counter)) {
        TORCH_CHECK(std::chrono::steady_clock::now() < until, "member ", member, " did not come in ", timeout_ms, " ms");
        sleep_on(counter, count);
      }
    }
  });
}

char* mmc_sum_rows(void* rows, void* sum) {
  return guarded([=] {
    const auto& from = *static_cast<at::Tensor*>(rows);
    auto& to = *static_cast<at::Tensor*>(sum);
    TORCH_CHECK(from.dim() == 2 && from.size(0) > 0 && from.size(1) == to.numel(), "rows and their sum differ in length");
    TORCH_CHECK(from.stride(1) == 1 && to.is_contiguous(), "numbers of a row must lie side by side");
    sum_rows(from.const_data_ptr<double>(), from.stride(0), from.size(0), to.data_ptr<double>(), to.numel());
  });
}
