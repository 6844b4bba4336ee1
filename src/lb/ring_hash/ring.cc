#include "lb/ring_hash/ring.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"

namespace meshlib::lb {

Ring::Ring(const std::vector<WeightedHost>& hosts, const Options& options) {
  if (hosts.empty()) return;
  hosts_.reserve(hosts.size());
  for (const WeightedHost& host : hosts) hosts_.emplace_back(*host.host);
  SortIntoBuckets(MakeEntries(hosts, options));
}

std::vector<Ring::Made> Ring::MakeEntries(
    const std::vector<WeightedHost>& hosts, const Options& options) {
  double least = 1.0;
  for (const WeightedHost& host : hosts) least = std::min(least, host.weight);
  const double scale = std::min(
      std::ceil(least * static_cast<double>(options.minimum_size)) / least,
      static_cast<double>(options.maximum_size));
  const bool xxhash = options.function == model::RingHashFunction::kXxHash;

  std::vector<Made> entries;
  entries.reserve(static_cast<size_t>(std::ceil(scale)));
  double target = 0;
  double current = 0;
  std::string text;
  for (uint32_t index = 0; index < hosts.size(); ++index) {
    const WeightedHost& host = hosts[index];
    const std::string_view key = HashKey(*host.host, options.use_hostname);
    text.assign(key);
    text.push_back('_');
    const size_t prefix = text.size();
    text.resize(prefix + 20);
    target += scale * host.weight;
    for (uint64_t i = 0; current < target; ++i, ++current) {
      const char* end =
          std::to_chars(&text[prefix], text.data() + text.size(), i).ptr;
      const std::string_view entry(text.data(), end - text.data());
      entries.push_back(
          {xxhash ? base::XxHash64(entry) : base::MurmurHash2(entry), index});
    }
  }
  return entries;
}

// Hashes are spread evenly: one pass puts them into buckets of about one
// entry each, and what shares a bucket is sorted there.
void Ring::SortIntoBuckets(const std::vector<Made>& made) {
  int bits = 1;
  while ((uint64_t{1} << bits) < made.size()) ++bits;
  shift_ = 64 - bits;
  buckets_.assign((size_t{1} << bits) + 1, 0);
  for (const Made& entry : made) ++buckets_[(entry.hash >> shift_) + 1];
  for (size_t b = 1; b < buckets_.size(); ++b) buckets_[b] += buckets_[b - 1];
  std::vector<uint32_t> next(buckets_.begin(), buckets_.end() - 1);
  entries_.resize(made.size());
  hashes_.resize(made.size());
  for (const Made& entry : made) {
    const uint32_t place = next[entry.hash >> shift_]++;
    entries_[place] = {KeyOf(entry.hash), entry.host};
    hashes_[place] = entry.hash;
  }
  for (size_t b = 0; b + 1 < buckets_.size(); ++b) {
    if (buckets_[b + 1] - buckets_[b] >= 2) {
      SortBucket(buckets_[b], buckets_[b + 1]);
    }
  }
}

void Ring::SortBucket(size_t begin, size_t end) {
  std::vector<Made> bucket;
  bucket.reserve(end - begin);
  for (size_t place = begin; place < end; ++place) {
    bucket.push_back({hashes_[place], entries_[place].host});
  }
  // Stable: entries of equal hash stay in the order of the hosts.
  std::stable_sort(
      bucket.begin(), bucket.end(),
      [](const Made& x, const Made& y) { return x.hash < y.hash; });
  for (size_t place = begin; place < end; ++place) {
    const Made& entry = bucket[place - begin];
    entries_[place] = {KeyOf(entry.hash), entry.host};
    hashes_[place] = entry.hash;
  }
}

const PlacedHost* Ring::Find(uint64_t hash, uint32_t attempt) const {
  if (entries_.empty()) return nullptr;
  // All entries of lower buckets are below the hash, all of higher ones above
  // it: the scan ends in this bucket or at the next one's first entry.
  const uint64_t bucket = hash >> shift_;
  const uint32_t key = KeyOf(hash);
  size_t place = buckets_[bucket];
  const size_t end = buckets_[bucket + 1];
  while (place < end &&
         (entries_[place].key < key ||
          (entries_[place].key == key && hashes_[place] < hash))) {
    ++place;
  }
  if (place == entries_.size()) place = 0;
  if (attempt > 0) place = (place + attempt) % entries_.size();
  return &hosts_[entries_[place].host];
}

}  // namespace meshlib::lb
