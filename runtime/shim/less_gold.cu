// The softmax of rows of logits, less their gold columns: what a loss needs of them, in two readings. One block a row.
//
// With l = logsumexp(row), which goes to `logsumexp`, and the row's logit in its gold column, which goes to `at_gold`:
// p[column] = factor * (exp(logit - l) - (column == gold ? kept : 0)), and 0 in the columns from `vocabulary` on. `columns` is a
// multiple of 4. p may be the logits.

#define NONE __uint_as_float(0xff800000u)

// The largest logits, and the sum of exponentials less it.
struct Sum {
  float most, sum;
};

__device__ Sum joined(Sum a, Sum b) {
  const float most = fmaxf(a.most, b.most);
  if (most == NONE) return {NONE, a.sum + b.sum};
  return {most, a.sum * expf(a.most - most) + b.sum * expf(b.most - most)};
}

struct Four {
  float of[4];
};

// To the nearest, and of two the even one.
__device__ unsigned short as_bf16(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return 0x7fc0;
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

__device__ unsigned short as_half(float x) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
}

struct Halves {
  unsigned short of[4];
};

__device__ void put(Four* place, Four x) { *place = x; }

template <unsigned short (*round)(float)>
__device__ void put_rounded(Halves* place, Four x) {
  *place = {round(x.of[0]), round(x.of[1]), round(x.of[2]), round(x.of[3])};
}

template <typename P, void (*put)(P*, Four)>
__device__ void less_gold(const float* logits, const long long* gold, P* p, float* logsumexp, float* at_gold, int vocabulary, int columns,
                          float kept, float factor) {
  __shared__ Sum sums[THREADS];
  const long long row = blockIdx.x;
  const Four* all = reinterpret_cast<const Four*>(logits + row * columns);
  const int place = threadIdx.x;
  Sum own{NONE, 0};
  for (int i = place; i < columns / 4; i += THREADS) {
    const Four x = all[i];
    Sum four{NONE, 0};
    for (int j = 0; j < 4; ++j)
      if (4 * i + j < vocabulary) four.most = fmaxf(four.most, x.of[j]);
    for (int j = 0; j < 4; ++j)
      if (4 * i + j < vocabulary && x.of[j] != NONE) four.sum += expf(x.of[j] - four.most);
    own = joined(own, four);
  }
  sums[place] = own;
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (place < half) sums[place] = joined(sums[place], sums[place + half]);
  }
  __syncthreads();
  const float whole = sums[0].most + logf(sums[0].sum);
  const long long column = gold[row];
  if (place == 0) {
    logsumexp[row] = whole;
    at_gold[row] = logits[row * columns + column];
  }
  __syncthreads();
  for (int i = place; i < columns / 4; i += THREADS) {
    Four x = all[i];
    for (int j = 0; j < 4; ++j) {
      const int at = 4 * i + j;
      const float share = at < vocabulary ? expf(x.of[j] - whole) : 0.0f;
      x.of[j] = factor * (share - (at == column ? kept : 0.0f));
    }
    put(reinterpret_cast<P*>(p) + row * (columns / 4) + i, x);
  }
}

#define KERNEL(name, P, put)                                                                                              \
  extern "C" __global__ void __launch_bounds__(THREADS)                                                                   \
      name(const float* logits, const long long* gold, P* p, float* logsumexp, float* at_gold, int vocabulary, int columns, \
           float kept, float factor) {                                                                                    \
    less_gold<P, put>(logits, gold, p, logsumexp, at_gold, vocabulary, columns, kept, factor);                            \
  }

KERNEL(less_gold_float, Four, put)
KERNEL(less_gold_bf16, Halves, put_rounded<as_bf16>)
KERNEL(less_gold_half, Halves, put_rounded<as_half>)
