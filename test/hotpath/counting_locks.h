#ifndef MESHLIB_TEST_HOTPATH_COUNTING_LOCKS_H_
#define MESHLIB_TEST_HOTPATH_COUNTING_LOCKS_H_

#include <cstdint>

namespace meshlib::testing {

// Linking this puts a counter before pthread's mutexes, reader-writer locks
// and spin locks, and so before std::mutex, std::shared_mutex and base::Mutex.
//
// How many locks the calling thread has taken or tried to take so far.
uint64_t ThreadLocksTaken();

}  // namespace meshlib::testing

#endif  // MESHLIB_TEST_HOTPATH_COUNTING_LOCKS_H_
