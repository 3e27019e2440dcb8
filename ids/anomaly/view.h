// What the tables hold at a moment, for people who look: those nearest to a verdict.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/ip.h"

namespace gatehouse::ids::anomaly {

struct Suspect {
  core::IpAddress address;
  std::uint32_t failed = 0;
  std::uint64_t succeeded = 0, ports = 0, hosts = 0;
  std::uint32_t percent = 0;  // of the evidence a verdict asks for
  std::int64_t last_us = 0;
};

struct VictimView {
  core::IpAddress address;
  std::uint8_t prefix_bits = 0;  // 0: a host
  // Of the last second.
  std::uint32_t syn = 0, completed = 0, udp = 0, icmp = 0, stray = 0, fragments = 0;
  std::uint64_t sources = 0;
  std::int64_t last_us = 0;

  std::uint64_t unasked() const { return std::uint64_t{syn} + udp + icmp + stray + fragments; }
};

// Keeps the `most` that come first of each, whatever their number.
class MonitorView {
 public:
  MonitorView(std::int64_t now_us, std::size_t most) : now_us_(now_us), most_(most) {}

  void add(const Suspect& suspect) {
    keep(suspects_, suspect, [](const Suspect& a, const Suspect& b) {
      return a.percent != b.percent ? a.percent > b.percent : a.address < b.address;
    });
  }
  void add(const VictimView& victim) {
    keep(victims_, victim, [](const VictimView& a, const VictimView& b) {
      return a.unasked() != b.unasked() ? a.unasked() > b.unasked() : a.address < b.address;
    });
  }
  std::int64_t now_us() const { return now_us_; }
  const std::vector<Suspect>& suspects() const { return suspects_; }
  const std::vector<VictimView>& victims() const { return victims_; }

 private:
  template <class T, class Before>
  void keep(std::vector<T>& list, const T& row, Before before) const {
    if (list.size() == most_ && !before(row, list.back())) return;
    list.insert(std::upper_bound(list.begin(), list.end(), row, before), row);
    if (list.size() > most_) list.pop_back();
  }
  std::int64_t now_us_;
  std::size_t most_;
  std::vector<Suspect> suspects_;
  std::vector<VictimView> victims_;
};

}  // namespace gatehouse::ids::anomaly
