// Finds races in kernels: two threads that reach the same memory, one of them to write, with nothing that puts one
// before the other. What does so: a barrier of the block; __syncwarp() of all lanes that live, for these; atomics, among
// each other; the end of the launch. Shuffles and votes do not, by CUDA's rules they order no memory, and blocks of a
// launch come in any order. It does not matter in which order the emulator runs threads. Found too is shared memory that
// is read and that nothing in the block has written.
//
// All of it is there only where METASTATE_SANITIZE is "thread" (npm run test:cuda:races): the compiler then makes each
// access of device code a call of __tsan_read4 and its like, which races.cpp has in place of the sanitizer's library.
#pragma once

#include <cstddef>

namespace metastate::cuda::emulator {

/// `later`: a write that is on its way until the thread writes there again, and for as long in no order with anything.
enum class Reach { read, write, atomic, later };

/// How the lanes of a warp reach a tile together: which lane has which element is known of sums only, and only to be the
/// same each time.
enum class Tile { operand, sum };

#ifdef METASTATE_FINDS_RACES

#define METASTATE_UNWATCHED __attribute__((no_sanitize("thread")))

void raceLaunchBegins();
void raceBlockBegins();
void raceBlockBarrier();
/// All lanes of the warp that live have come to __syncwarp().
void raceWarpBarrier(unsigned warp);

/// The thread that runs reaches this memory; a race ends the kernel with what is known of it.
void reached(const void* memory, size_t bytes, Reach reach);
/// Its warp reaches rows of floats, `stride` apart, together. To be called by each lane.
void tileReached(const float* memory, int rows, int columns, int stride, Reach reach, Tile tile);

#else

#define METASTATE_UNWATCHED

inline void raceLaunchBegins() {}
inline void raceBlockBegins() {}
inline void raceBlockBarrier() {}
inline void raceWarpBarrier(unsigned) {}
inline void reached(const void*, size_t, Reach) {}
inline void tileReached(const float*, int, int, int, Reach, Tile) {}

#endif

}  // namespace metastate::cuda::emulator
