#include "lb/maglev/maglev.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <string_view>
#include <utility>

#include "base/hash.h"

namespace meshlib::lb {

// A host that takes turns to fill the table.
struct MaglevTable::Turn {
  uint64_t slot = 0;  // the next one it prefers
  uint64_t skip = 0;
  double weight = 0;
  double target = 0;

  // The first round after `round` in which the host may take a slot. The
  // quotient finds it, the product that the rule compares decides.
  uint64_t NextRound(uint64_t round) const {
    uint64_t next =
        std::max(round + 1, static_cast<uint64_t>(std::ceil(target / weight)));
    while (next > round + 1 &&
           static_cast<double>(next - 1) * weight >= target) {
      --next;
    }
    while (static_cast<double>(next) * weight < target) ++next;
    return next;
  }
};

MaglevTable::MaglevTable(const std::vector<WeightedHost>& hosts,
                         const Options& options)
    : modulo_(std::max<uint64_t>(2, options.table_size)) {
  if (hosts.empty()) return;
  std::vector<std::pair<std::string_view, size_t>> order;
  order.reserve(hosts.size());
  for (size_t i = 0; i < hosts.size(); ++i) {
    order.emplace_back(HashKey(*hosts[i].host, options.use_hostname), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<WeightedHost> sorted;
  sorted.reserve(hosts.size());
  hosts_.reserve(hosts.size());
  for (const auto& [key, i] : order) {
    sorted.push_back(hosts[i]);
    hosts_.emplace_back(*hosts[i].host);
  }
  Fill(sorted, options);
}

void MaglevTable::Fill(const std::vector<WeightedHost>& sorted,
                       const Options& options) {
  const uint64_t size = std::max<uint64_t>(2, options.table_size);
  double greatest = 0;
  double least = 1;
  std::vector<Turn> turns;
  turns.reserve(sorted.size());
  for (const WeightedHost& host : sorted) {
    const std::string_view key = HashKey(*host.host, options.use_hostname);
    Turn turn;
    turn.slot = base::XxHash64(key, 0) % size;
    turn.skip = base::XxHash64(key, 1) % (size - 1) + 1;
    turn.weight = host.weight;
    turns.push_back(turn);
    greatest = std::max(greatest, host.weight);
    least = std::min(least, host.weight);
  }
  constexpr uint32_t kFree = UINT32_MAX;
  slots_.assign(size, kFree);
  uint64_t filled = 0;
  const auto take = [&](uint32_t i) {
    Turn& turn = turns[i];
    turn.target += greatest;
    uint64_t slot = turn.slot;
    while (slots_[slot] != kFree) {
      slot += turn.skip;
      if (slot >= size) slot -= size;
    }
    slots_[slot] = i;
    slot += turn.skip;
    turn.slot = slot >= size ? slot - size : slot;
    ++filled;
  };
  if (least == greatest) {  // all hosts in every round
    while (filled < size) {
      for (uint32_t i = 0; i < turns.size() && filled < size; ++i) take(i);
    }
    return;
  }
  // By (round, host): light hosts sit out most rounds, so that going through
  // them in every one would take hosts * slots steps.
  using Due = std::pair<uint64_t, uint32_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<Due>> due;
  for (uint32_t i = 0; i < turns.size(); ++i) due.emplace(1, i);
  while (filled < size) {
    const auto [round, i] = due.top();
    due.pop();
    take(i);
    due.emplace(turns[i].NextRound(round), i);
  }
}

}  // namespace meshlib::lb
