#ifndef MESHLIB_TEST_HOTPATH_SYSTEM_CALL_TRAP_H_
#define MESHLIB_TEST_HOTPATH_SYSTEM_CALL_TRAP_H_

#include <atomic>

namespace meshlib::testing {

// From here on every system call of the calling thread ends the process, but
// exit_group; other threads go on. The number of the call is stored in
// *system_call first, which must be lock-free memory that the parent process
// sees too. There is no way back: call it in a child process only.
//
// Needs no library: a BPF program for seccomp. False where the kernel refuses
// filters; then nothing has changed.
bool TrapSystemCalls(std::atomic<int>* system_call);

// What the process ends with when a system call was trapped.
inline constexpr int kTrappedExitStatus = 99;

}  // namespace meshlib::testing

#endif  // MESHLIB_TEST_HOTPATH_SYSTEM_CALL_TRAP_H_
