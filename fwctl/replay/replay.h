// A throw-away network namespace that a ruleset and a packet are tried in.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/os.h"
#include "fwctl/netlink/kernel.h"
#include "fwctl/netlink/network.h"
#include "fwctl/netlink/trace.h"
#include "fwctl/prove/interpret.h"

namespace gatehouse::fwctl {

// What the kernel did with the packet, rule by rule.
struct KernelTrace {
  bool dropped = false;   // by a rule or a policy
  bool finished = false;  // dropped, or passed by the last chain of its path; else the kernel itself ended it
  std::vector<std::string> steps;
};

// The same steps as the interpreter sees them, to be compared with `KernelTrace::steps`.
std::vector<std::string> steps_of(const prove::Trace& trace);

class Replay {
 public:
  // Moves the calling thread into a fresh network namespace, for good.
  static core::Status enter_namespace();
  // `interfaces` become devices, each with its index when one is given. Call inside the namespace.
  static core::Result<Replay> make(const std::vector<std::pair<std::string, std::uint32_t>>& interfaces);

  // Instead of what was loaded before.
  core::Status load(const RulesetCopy& copy);
  core::Status load(const KernelTable& table);
  // Errc::unsupported: this packet cannot be brought about.
  core::Result<KernelTrace> send(const prove::Packet& packet);

 private:
  struct Device {
    std::string name;
    core::UniqueFd fd;
  };
  explicit Replay(Kernel kernel, TraceListener listener, Network network)
      : kernel_(std::move(kernel)), listener_(std::move(listener)), network_(std::move(network)) {}
  core::Status settle();
  core::Status open_device(const std::string& name, std::uint32_t index);
  const Device* device(const std::string& name) const;
  core::Status ban(const prove::Packet& packet, bool set_up);
  core::Status prepare(const prove::Packet& packet, bool set_up);
  static core::Status receive_on(const Device& device, std::vector<std::uint8_t> bytes, bool checked);
  core::Status put_on_path(const prove::Packet& packet, const std::vector<std::vector<std::uint8_t>>& pieces);
  core::Result<KernelTrace> collect(const prove::Packet& packet);
  std::string place_of(const TraceEvent& e) const;

  Kernel kernel_;
  TraceListener listener_;
  Network network_;
  std::vector<Device> devices_;
  LiveRuleset loaded_;
  std::uint16_t packets_ = 0;             // sent so far; wraps around
  bool asks_user_ = false;                // a rule asks whose program sends a packet
  std::set<std::uint32_t> group_levels_;  // at which rules ask for its control group
  std::map<std::uint64_t, std::map<std::string, std::size_t>> rules_;  // handle, "family table chain": number
};

}  // namespace gatehouse::fwctl
