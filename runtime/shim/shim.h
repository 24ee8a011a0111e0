// What libtorch offers and tch does not: gradients as views, the fused optimiser, c10d process groups.
//
// Every function returns null on success, else a message that the caller frees with mmc_free. No exception leaves.
#pragma once
#include <cstdint>

extern "C" {
void mmc_free(char* message);

// Makes `gradient` (same shape and kind) the gradient of the leaf `parameter`: backward passes add into it.
char* mmc_set_gradient(void* parameter, void* gradient);

// One AdamW step over flat tensors (at::_fused_adamw_); `step` is this update's number, from 1.
char* mmc_adamw(void* parameter, void* gradient, void* mean, void* square, double step, double lr, double beta1,
                double beta2, double weight_decay, double eps);

// A TCP store: `server` listens, everybody connects and waits until `world` clients are there.
char* mmc_store_new(const char* host, uint16_t port, bool server, int64_t world, int64_t timeout_ms, void** store);
void mmc_store_delete(void* store);
char* mmc_store_set(void* store, const char* key, const char* value);
// `value` becomes the key's value, which the caller frees with mmc_free, or null: without `wait` for an absent key.
char* mmc_store_get(void* store, const char* key, bool wait, char** value);

// A Gloo group of `size` ranks whose members meet under `name`; binds to the address of `host`.
char* mmc_group_new(void* store, const char* name, int rank, int size, const char* host, int64_t timeout_ms,
                    void** group);
void mmc_group_delete(void* group);
char* mmc_group_sum(void* group, void* tensor);
char* mmc_group_barrier(void* group);
}
