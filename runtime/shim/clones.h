// Loops that are compiled twice: for processors with AVX2 and for all others.
#pragma once

#define INLINE static inline __attribute__((always_inline))
#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define CLONES
#endif
