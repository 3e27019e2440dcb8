#include "ids/search/bucket_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ids/search/needle.h"

namespace gatehouse::ids {
namespace {

double frequency(std::uint8_t byte) {
  static const std::array<double, 256> frequencies = [] {
    std::array<double, 256> out{};
    double all = 0;
    for (std::size_t i = 0; i < out.size(); ++i)
      all += out[i] = std::ldexp(1.0, -byte_rarity(static_cast<std::uint8_t>(i)));
    for (double& one : out) one /= all;
    return out;
  }();
  return frequencies[byte];
}

}  // namespace

// Windows of one width that share a bucket: it flags whatever has at each place a byte that one of them has
// there.
struct BucketFilter::Cluster {
  std::size_t width = 0;
  std::array<ByteClass, kWindowBytes> classes;
  std::array<std::vector<std::uint8_t>, kWindowBytes> members;  // the same, as lists
  std::array<double, kWindowBytes> part{};                      // of all bytes that belong to the class
  std::vector<std::uint32_t> windows;

  Cluster(std::span<const ByteClass> window, std::uint32_t number) : width(window.size()), windows{number} {
    for (std::size_t i = 0; i < width; ++i) {
      for (std::size_t byte = 0; byte < 256; ++byte) {
        if (window[i][byte]) take(i, static_cast<std::uint8_t>(byte));
      }
    }
  }
  void take(std::size_t place, std::uint8_t byte) {
    if (classes[place][byte]) return;
    classes[place].set(byte);
    members[place].push_back(byte);
    part[place] += frequency(byte);
  }
  double flagged() const {
    double product = 1;
    for (std::size_t i = 0; i < width; ++i) product *= part[i];
    return product;
  }
  // How much more would be flagged if both were one.
  double cost_of_joining(const Cluster& other) const {
    double product = 1;
    for (std::size_t i = 0; i < width; ++i) {
      double sum = part[i];
      for (const std::uint8_t byte : other.members[i]) sum += classes[i][byte] ? 0 : frequency(byte);
      product *= sum;
    }
    return product - flagged() - other.flagged();
  }
  void join(const Cluster& other) {
    for (std::size_t i = 0; i < width; ++i) {
      for (const std::uint8_t byte : other.members[i]) take(i, byte);
    }
    windows.insert(windows.end(), other.windows.begin(), other.windows.end());
  }
};

namespace {

// All are compared with all below: of very many windows, those that begin alike become one first.
template <class Cluster>
void join_neighbours(std::vector<Cluster>& clusters) {
  constexpr std::size_t kMostCompared = 256;
  if (clusters.size() <= kMostCompared) return;
  const auto key = [](const Cluster& cluster) {
    std::array<std::uint8_t, kWindowBytes> bytes{};
    for (std::size_t i = 0; i < cluster.width; ++i)
      bytes[i] = cluster.members[i].empty() ? 0 : cluster.members[i][0];
    return std::pair(cluster.width, bytes);
  };
  std::stable_sort(clusters.begin(), clusters.end(),
                   [&](const Cluster& a, const Cluster& b) { return key(a) < key(b); });
  const std::size_t share = (clusters.size() + kMostCompared - 1) / kMostCompared;
  std::vector<Cluster> joined;
  for (Cluster& cluster : clusters) {
    if (!joined.empty() && joined.back().width == cluster.width && joined.back().windows.size() < share) {
      joined.back().join(cluster);
    } else {
      joined.push_back(std::move(cluster));
    }
  }
  clusters = std::move(joined);
}

// Joins what costs least to join until so many are left; of each width, one at least.
template <class Cluster>
void join_cheapest(std::vector<Cluster>& clusters, std::size_t most) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  struct Partner {
    std::size_t number = 0;
    double cost = kNever;
  };
  // The best behind each; a cluster that was joined to another has none and no windows.
  std::vector<Partner> partners(clusters.size());
  const auto compare = [&](std::size_t i, std::size_t j) {
    if (clusters[i].width != clusters[j].width || clusters[j].windows.empty()) return;
    const double cost = clusters[i].cost_of_joining(clusters[j]);
    if (cost < partners[i].cost) partners[i] = {j, cost};
  };
  const auto find_partner = [&](std::size_t i) {
    partners[i] = {};
    if (clusters[i].windows.empty()) return;
    for (std::size_t j = i + 1; j < clusters.size(); ++j) compare(i, j);
  };
  for (std::size_t i = 0; i < clusters.size(); ++i) find_partner(i);
  for (std::size_t left = clusters.size(); left > most; --left) {
    const auto cheapest = std::min_element(
        partners.begin(), partners.end(), [](const Partner& a, const Partner& b) { return a.cost < b.cost; });
    if (cheapest->cost == kNever) break;
    const auto into = static_cast<std::size_t>(cheapest - partners.begin());
    const std::size_t gone = cheapest->number;
    clusters[into].join(clusters[gone]);
    clusters[gone].windows.clear();
    for (std::size_t i = 0; i < gone; ++i) {
      if (i == into || partners[i].number == into || partners[i].number == gone) {
        find_partner(i);
      } else if (i < into && partners[i].cost != kNever) {
        compare(i, into);
      }
    }
    partners[gone] = {};
  }
  std::erase_if(clusters, [](const Cluster& cluster) { return cluster.windows.empty(); });
}

template <class Cluster>
double flagged(const std::vector<Cluster>& clusters) {
  double sum = 0;
  for (const Cluster& cluster : clusters) sum += cluster.flagged();
  return sum;
}

}  // namespace

std::vector<ByteClass> byte_classes(std::string_view bytes, bool nocase) {
  std::vector<ByteClass> classes;
  for (const char c : bytes) {
    ByteClass& one = classes.emplace_back();
    const auto byte = static_cast<std::uint8_t>(c);
    one.set(byte);
    const auto lower = static_cast<std::uint8_t>(byte | 0x20U);
    if (nocase && lower >= 'a' && lower <= 'z') {
      one.set(lower);
      one.set(lower & 0xdfU);
    }
  }
  return classes;
}

BucketFilter::BucketFilter(std::span<const ByteClass> classes) {
  Group& group = groups_.emplace_back();
  for (std::size_t i = 0; i < kWindowBytes; ++i) {
    for (std::size_t byte = 0; byte < 256; ++byte)
      group.exact[i][byte] = i >= classes.size() || classes[i][byte] ? 1 : 0;
  }
  widths_[0] = static_cast<std::uint8_t>(std::min(classes.size(), kWindowBytes));
  of_width_[widths_[0] - 1U] = 1;
  derive();
}

void BucketFilter::enter(const Cluster& cluster, std::size_t bucket) {
  Group& group = groups_[bucket / kGroupBuckets];
  const auto bit = static_cast<std::uint8_t>(1U << bucket % kGroupBuckets);
  const auto set = [bit](std::uint8_t& entry) { entry = static_cast<std::uint8_t>(entry | bit); };
  for (std::size_t i = 0; i < kWindowBytes; ++i) {
    if (i >= cluster.width) {
      for (std::uint8_t& entry : group.exact[i]) set(entry);
    } else {
      for (const std::uint8_t byte : cluster.members[i]) set(group.exact[i][byte]);
    }
  }
  for (const std::uint32_t window : cluster.windows) bucket_of_[window] = static_cast<std::uint8_t>(bucket);
  widths_[bucket] = static_cast<std::uint8_t>(cluster.width);
  Buckets& of_width = of_width_[cluster.width - 1];
  of_width = static_cast<Buckets>(of_width | 1U << bucket);
}

void BucketFilter::build() {
  std::vector<Cluster> clusters;
  clusters.reserve(building_.size());
  for (const std::vector<ByteClass>& window : building_)
    clusters.emplace_back(window, static_cast<std::uint32_t>(clusters.size()));
  bucket_of_.resize(building_.size());
  building_ = {};
  join_neighbours(clusters);
  join_cheapest(clusters, kMostBuckets);
  if (clusters.size() > kGroupBuckets) {
    // A second group costs a processor as much time for 64 bytes as a quarter of a flagged place.
    constexpr double kWorthAGroup = 0.25 / 64;
    std::vector<Cluster> fewer = clusters;
    join_cheapest(fewer, kGroupBuckets);
    if (flagged(fewer) - flagged(clusters) < kWorthAGroup) clusters = std::move(fewer);
  }
  groups_.resize((clusters.size() + kGroupBuckets - 1) / kGroupBuckets);
  for (std::size_t i = 0; i < clusters.size(); ++i) enter(clusters[i], i);
  derive();
}

void BucketFilter::derive() {
  for (Group& group : groups_) {
    for (std::size_t i = 0; i < kWindowBytes; ++i) {
      for (std::size_t byte = 0; byte < 256; ++byte) {
        const std::uint8_t bits = group.exact[i][byte];
        const auto join = [bits](std::uint8_t& entry) { entry = static_cast<std::uint8_t>(entry | bits); };
        join(group.low7[i][byte & 0x7fU]);
        join(group.low4[i][byte & 0x0fU]);
        join(group.low4[i][16 + (byte & 0x0fU)]);
        join(group.high4[i][byte >> 4U]);
        join(group.high4[i][16 + (byte >> 4U)]);
      }
    }
  }
}

}  // namespace gatehouse::ids
