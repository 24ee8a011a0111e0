#define USE_C10D_GLOO
#include "shim.h"

#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include <malloc.h>

#include "guarded.h"

namespace {

using Store = c10::intrusive_ptr<c10d::Store>;
using Group = c10::intrusive_ptr<c10d::ProcessGroupGloo>;

at::Tensor& tensor(void* pointer) { return *static_cast<at::Tensor*>(pointer); }

// Begins a collective and waits for it. Threads may do so at once, each with a group of its own, but they begin one after the
// other: c10d's flight recorder, which all groups of a process share, notes a group's first collective before it takes its lock.
template <class Begin>
void finish(Begin begin) {
  static std::mutex beginning;
  c10::intrusive_ptr<c10d::Work> work;
  {
    std::lock_guard<std::mutex> alone(beginning);
    work = begin();
  }
  work->wait();
}

}  // namespace

void mmc_free(char* message) { std::free(message); }

char* mmc_set_gradient(void* parameter, void* gradient) {
  return guarded([&] { tensor(parameter).mutable_grad() = tensor(gradient); });
}

void mmc_keep_memory() {
  // Tensors of every step have the same sizes: memory that was given back would be asked for and cleared again.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 1 << 24);
}

char* mmc_store_new(const char* host, uint16_t port, bool server, int64_t timeout_ms, void** store) {
  return guarded([&] {
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = server;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(timeout_ms);
    *store = new Store(c10::make_intrusive<c10d::TCPStore>(host, options));
  });
}

void mmc_store_delete(void* store) { delete static_cast<Store*>(store); }

char* mmc_store_set(void* store, const char* key, const char* value) {
  return guarded([&] {
    (*static_cast<Store*>(store))->set(key, std::vector<uint8_t>(value, value + std::strlen(value)));
  });
}

char* mmc_store_get(void* store, const char* key, char** value) {
  return guarded([&] {
    auto& table = *static_cast<Store*>(store);
    if (table->check({key})) {
      auto bytes = table->get(key);
      *value = strdup(std::string(bytes.begin(), bytes.end()).c_str());
    }
  });
}

char* mmc_group_new(void* store, const char* name, int rank, int size, const char* host, int64_t timeout_ms,
                    void** group) {
  return guarded([&] {
    auto timeout = std::chrono::milliseconds(timeout_ms);
    auto prefixed = c10::make_intrusive<c10d::PrefixStore>(name, *static_cast<Store*>(store));
    auto options = c10d::ProcessGroupGloo::Options::create(timeout);
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices.push_back(*host       ? c10d::ProcessGroupGloo::createDeviceForHostname(host)
                               : interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                           : c10d::ProcessGroupGloo::createDefaultDevice());
    *group = new Group(c10::make_intrusive<c10d::ProcessGroupGloo>(prefixed, rank, size, options));
  });
}

void mmc_group_delete(void* group) { delete static_cast<Group*>(group); }

char* mmc_group_sum(void* group, void* target) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{tensor(target)};
    finish([&] { return (*static_cast<Group*>(group))->allreduce(tensors); });
  });
}

char* mmc_group_broadcast(void* group, void* target, int owner) {
  return guarded([&] {
    std::vector<at::Tensor> tensors{tensor(target)};
    c10d::BroadcastOptions options;
    options.rootRank = owner;
    finish([&] { return (*static_cast<Group*>(group))->broadcast(tensors, options); });
  });
}

char* mmc_group_barrier(void* group) {
  return guarded([&] { finish([&] { return (*static_cast<Group*>(group))->barrier(); }); });
}
