// less_gold.cu as a processor's threads run it, against sums in 64 bits: a test, and no part of the worker.
#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#define THREADS 64
#define __device__ static inline
#define __global__
#define __shared__ static
#define __launch_bounds__(threads)
#define asm(...) bits = 0  // 16-bit IEEE numbers are the GPU's own.

struct Place {
  int x;
};
thread_local Place blockIdx, threadIdx;

// Where a block's threads wait for each other.
class Meeting {
 public:
  void arrive() {
    std::unique_lock<std::mutex> lock(mutex);
    const int own = round;
    if (++arrived == THREADS) {
      arrived = 0;
      ++round;
      all.notify_all();
    }
    all.wait(lock, [&] { return round != own; });
  }

 private:
  std::mutex mutex;
  std::condition_variable all;
  int arrived = 0, round = 0;
};
static Meeting* meeting;
static void __syncthreads() { meeting->arrive(); }
static float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
static unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

#include "less_gold.cu"

template <typename Run>
void launch(int blocks, Run run) {
  for (int block = 0; block < blocks; ++block) {
    Meeting all;
    meeting = &all;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < THREADS; ++thread)
      threads.emplace_back([=] {
        blockIdx.x = block;
        threadIdx.x = thread;
        run();
      });
    for (auto& thread : threads) thread.join();
  }
}

static bool right = true;

static void check(bool holds, const char* what, int vocabulary) {
  if (!holds) std::printf("%s of %d columns\n", what, vocabulary);
  right = right && holds;
}

static void rows(int vocabulary, std::mt19937& draw) {
  const int columns = (vocabulary + 63) / 64 * 64, count = 3;
  const float kept = 0.9f, factor = 3.0f;
  std::normal_distribution<float> normal(0, 4);
  std::vector<float> logits(count * columns), sums(count), at_gold(count);
  std::vector<unsigned short> narrow(count * columns);
  std::vector<long long> gold(count);
  for (float& logit : logits) logit = normal(draw);
  for (long long& column : gold) column = draw() % vocabulary;
  const std::vector<float> before = logits;
  launch(count, [&] {
    less_gold_bf16(logits.data(), gold.data(), reinterpret_cast<Halves*>(narrow.data()), sums.data(), at_gold.data(), vocabulary,
                   columns, kept, factor);
  });
  launch(count, [&] {
    less_gold_float(logits.data(), gold.data(), reinterpret_cast<Four*>(logits.data()), sums.data(), at_gold.data(), vocabulary,
                    columns, kept, factor);
  });
  for (int row = 0; row < count; ++row) {
    const float* own = before.data() + row * columns;
    double sum = 0;
    for (int column = 0; column < vocabulary; ++column) sum += std::exp(static_cast<double>(own[column]));
    const double whole = std::log(sum);
    check(std::abs(whole - sums[row]) < 1e-5, "logsumexp", vocabulary);
    check(at_gold[row] == own[gold[row]], "gold", vocabulary);
    for (int column = 0; column < columns; ++column) {
      const double share = column < vocabulary ? std::exp(own[column] - whole) : 0.0;
      const double p = factor * (share - (column == gold[row] ? kept : 0.0));
      const float rounded = __uint_as_float(static_cast<unsigned>(narrow[row * columns + column]) << 16);
      check(std::abs(p - logits[row * columns + column]) < 1e-5, "p", vocabulary);
      check(std::abs(p - rounded) <= std::abs(p) / 256 + 1e-5, "p in 16 bits", vocabulary);
    }
  }
}

// A row with one logit that is no number, or with one that is no infinity.
static float odd_row(float all, float one) {
  std::vector<float> logits(64, all);
  logits[7] = one;
  float sum, at_gold;
  const long long gold = 7;
  launch(1, [&] { less_gold_float(logits.data(), &gold, reinterpret_cast<Four*>(logits.data()), &sum, &at_gold, 60, 64, 1, 1); });
  return sum;
}

int main() {
  std::mt19937 draw(1);
  for (int vocabulary : {5, 64, 250, 1021}) rows(vocabulary, draw);
  check(std::isnan(odd_row(1, NAN)) && std::isnan(odd_row(NAN, NAN)), "what is no number", 60);
  check(odd_row(-INFINITY, 2) == 2, "one logit", 60);
  if (right) std::printf("all is right\n");
  return right ? 0 : 1;
}
