// Runs a grid on the CPU: blocks one after another, the threads of a block as fibers, each until it ends or waits.
//
// A thread waits at __syncthreads() for all threads of its block that have not ended, and at a shuffle, vote or
// __syncwarp() for the lanes of its mask. Barriers are known by their place in the source: threads that wait at two
// different ones, or for a thread that will not come, are an error that names the kernel and the places.
//
// METASTATE_EMULATOR_ORDER sets in which order threads run between barriers, "forward" (or nothing), "reverse" or
// "shuffled": results that depend on it show a barrier that is missing. One launch runs at a time in a process, so that
// shared memory can be a static variable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "emulator/vector_types.h"

namespace metastate::cuda::emulator {

enum class Order { forward, reverse, shuffled };

/// In place of the environment's, from now on.
void setOrder(Order order);

/// Limits of the smallest GPU that is meant, an sm_86: kernels that ask for more are refused here as there.
constexpr unsigned mostThreads = 1024;
constexpr size_t mostSharedBytes = 99 * 1024;

/// Of dynamic shared memory, what a launch has without cudaFuncSetAttribute.
constexpr size_t sharedBytesOfAll = 48 * 1024;

/// Runs `body`, which calls the kernel `function`, once for each thread of the grid; throws CudaError when the launch is wrong
/// or the threads get stuck.
void run(const char* kernel, const void* function, dim3 grid, dim3 block, size_t sharedBytes,
         const std::function<void()>& body);

/// A barrier's place in the source.
struct Site {
  const char* what;
  const char* file;
  int line;
};

/// Waits for the whole block. Returns how many of its threads gave `predicate`.
int blockBarrier(bool predicate, Site site);

/// What a lane gives to the others of its mask, and which lane's it wants.
uint64_t warpExchange(unsigned mask, uint64_t value, int source, Site site);

/// The lanes of the mask that gave `predicate`, a bit each.
unsigned warpVote(unsigned mask, bool predicate, Site site);

/// Waits for the lanes of the mask; they see what each has written.
void warpBarrier(unsigned mask, Site site);

/// Lanes of this warp that have neither ended nor never begun.
unsigned liveLanes();

/// This thread's place in its warp.
int lane();

/// The block's dynamic shared memory, NaNs when the block begins.
void* dynamicShared();

/// Begins to copy floats to shared memory. What is there is nobody's from now on, until this thread has ended a batch of
/// its copies and waited for it.
void copyLater(float* shared, const float* global, size_t count);
void endOfCopies();
void waitForCopies();

/// The number of the thread that runs in its block; -1 outside of kernels.
int runningThread();

/// Whether this is a variable of the thread that runs.
bool isOnOwnStack(const void* memory);

/// Ends the kernel: run() throws. The thread that runs does not come back from this.
void endKernel(const std::string& why);

}  // namespace metastate::cuda::emulator

// Set before a thread runs.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
