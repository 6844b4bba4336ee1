// planted_race.cc with our mutex: TSan must be quiet about it.
#include <cstdio>
#include <thread>

#include "base/mutex.h"

int main() {
  meshlib::base::Mutex mutex;
  int value = 0;
  std::thread other([&] {
    meshlib::base::MutexLock lock(mutex);
    ++value;
  });
  {
    meshlib::base::MutexLock lock(mutex);
    ++value;
  }
  other.join();
  std::printf("value %d\n", value);
  return value == 2 ? 0 : 1;
}
