// What libtorch offers and tch does not: gradients as views, the fused optimiser, c10d process groups, GPUs and NCCL.
//
// Every function returns null on success, else a message that the caller frees with mmc_free. No exception leaves.
#pragma once
#include <cstdint>

extern "C" {
// `step` is this update's number, from 1.
struct MmcAdamW {
  double step, lr, beta1, beta2, weight_decay, eps;
};

// Which elements a stream of random words drops: those whose 16 bits are below `dropped`; the others are multiplied by `scale`.
struct MmcDropout {
  uint64_t state;
  uint16_t dropped;
  double scale;
};

void mmc_free(char* message);

// Makes `gradient` (same shape and kind) the gradient of the leaf `parameter`: backward passes add into it.
char* mmc_set_gradient(void* parameter, void* gradient);

// The backward pass of `root`. `done` hears of a group (from 0, of `groups`) as soon as the gradients of all of its leaves are
// there, or asked of the GPU; not of one with a leaf that has no part in `root`. It hears so on this thread or, of what lies on a
// GPU, on one of libtorch's while this one waits.
typedef void (*MmcDone)(void* context, int64_t group);
char* mmc_backward(void* root, void* const* leaves, const int64_t* group_of, int64_t count, int64_t groups, MmcDone done,
                   void* context);

// Keeps freed memory for the next step in place of giving it back to the system.
void mmc_keep_memory();

// Attention of `shape` = rows, queries, keys, heads, width of a head, on processors; gradients are recorded. `q`: queries
// `[rows * queries, dim]` and `kv`: keys beside values `[rows * keys, 2 dim]`; or `kv` null and `q` all three, `[.., 3 dim]`.
// Null or: `lengths` of each row's keys (64-bit), `cosines` and `sines` of rotary positions `[positions, half]`, which turn the
// first `half` pairs of neighbours in a head. `dropout` is of the weights `[rows, heads, queries, keys]`. `out`: a new tensor
// `[rows * queries, dim]`.
char* mmc_attention(void* q, void* kv, void* lengths, void* cosines, void* sines, const MmcDropout* dropout,
                    const int64_t* shape, bool causal, void** out);

// `x`, or `residual + x`, with elements of `x` dropped; gradients are recorded. `out`: a new tensor. Null: no residual.
char* mmc_drop(void* x, void* residual, const MmcDropout* dropout, void** out);

// Adds `gradient` to the 64-bit `sum`, or writes it there if `fresh`, and clears it. 64-bit gradients are summed in two parts,
// their leading 24 bits and the `rest`.
char* mmc_gather(void* gradient, void* sum, void* rest, bool fresh);

// The sum of squares of a gradient or sum (plus its `rest`, null without), in 64 bits.
char* mmc_squares(void* gradient, void* rest, double* sum);

// One AdamW step over flat tensors (Loshchilov and Hutter 2019, algorithm 2), of `scale` times a gradient or sum.
char* mmc_adamw(void* parameter, void* gradient, void* rest, void* mean, void* square, double scale,
                const MmcAdamW* constants);

// The same by libtorch's own kernel, on any device; the gradient is of the parameter's kind.
char* mmc_adamw_fused(void* parameter, void* gradient, void* mean, void* square, const MmcAdamW* constants);

// Says to the other members of shared memory that the one at `place` arrives for the time `number` (from 1, wraps around), and waits
// until all have. What a member wrote before, all see afterwards. `counters`: 64 bytes for each, zeros at first.
char* mmc_meet(void* counters, int64_t place, uint32_t number, int64_t timeout_ms);

// The sum of `rows` `[members, count]`, one after the other, in 64 bits: written to the flat `sum`. On this thread alone.
char* mmc_sum_rows(void* rows, void* sum);

// A TCP store: `server` listens, everybody connects. Any thread may use it.
char* mmc_store_new(const char* host, uint16_t port, bool server, int64_t timeout_ms, void** store);
void mmc_store_delete(void* store);
char* mmc_store_set(void* store, const char* key, const char* value);
// `value` becomes the key's value, which the caller frees with mmc_free, or null for an absent key.
char* mmc_store_get(void* store, const char* key, char** value);

// A Gloo group of `size` ranks whose members meet under `name`; binds to the address of `host`.
char* mmc_group_new(void* store, const char* name, int rank, int size, const char* host, int64_t timeout_ms,
                    void** group);
void mmc_group_delete(void* group);
char* mmc_group_sum(void* group, void* tensor);
// Gives the tensor of the member `owner` to all, in place.
char* mmc_group_broadcast(void* group, void* tensor, int owner);
char* mmc_group_barrier(void* group);

// Begins to record what this thread asks of libtorch, and what a `gpu` computes; the end writes the trace to a file, in Chrome's
// format. Both when nothing is left to be computed.
char* mmc_profile_begin(bool gpu);
char* mmc_profile_end(const char* path);

// How many GPUs libtorch sees; a message when it can serve none. Before anything else is asked of libtorch.
char* mmc_gpu_count(int* count);
// Makes a GPU the one that this thread works on, and sets how this process computes there.
char* mmc_gpu_use(int number);
// Makes a GPU that this process uses the one that another thread works on.
char* mmc_gpu_enter(int number);
// Copies a tensor from memory to a GPU while that computes, for which it lies in memory that the system leaves in its place. `out`: a
// new tensor.
char* mmc_gpu_send(void* tensor, int number, void** out);
// Most memory, in bytes, that libtorch has held on a GPU.
char* mmc_gpu_peak(int number, int64_t* bytes);

// Compiles a source for the GPU that this thread works on, with THREADS for the threads of a block, and finds a kernel in it.
char* mmc_kernel_new(const char* source, const char* name, int threads, void** kernel);
// Begins it behind what the GPU was asked to compute before. `arguments`: addresses of what it takes.
char* mmc_kernel_run(void* kernel, int number, int64_t blocks, int threads, void** arguments);

// An NCCL communicator of `size` ranks, this one on GPU `number`: its members bring the 128 bytes that one of them made.
char* mmc_nccl_id(uint8_t* id);
char* mmc_nccl_new(const uint8_t* id, int rank, int size, int number, void** group);
void mmc_nccl_delete(void* group);
// Begins to sum a flat 64-bit tensor on the GPU over the group, in place, behind the sums that this process has begun before and
// beside what it computes. `sum` is to be deleted; `done` tells whether the tensor may be read.
char* mmc_nccl_sum(void* group, void* tensor, void** sum);
char* mmc_nccl_done(void* group, void* sum, bool* done);
void mmc_nccl_sum_delete(void* sum);
}
