// A data race on purpose: two threads write one int. The TSan build must see
// it, or that build proves nothing.
#include <cstdio>
#include <thread>

int main() {
  int value = 0;
  std::thread other([&value] { ++value; });
  ++value;
  other.join();
  std::printf("value %d\n", value);
  return 0;
}
