// From "who may reach what" to verdict maps. The cost of a packet must not grow with the policy, so
// a grant becomes map elements, never a rule of its own: base chain -> map of zone pairs -> the
// pair's chain -> a few maps by address, protocol and port -> the service's chain.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fwctl/model/ruleset.h"
#include "fwctl/model/set_builder.h"
#include "site/model/site.h"

namespace gatehouse::fwctl {

// `goto` target of every early refusal: logs, counts, drops.
inline constexpr std::string_view kRefuseChain = "refuse";

class Dispatcher {
 public:
  explicit Dispatcher(const site::Site& site);

  core::Status add_service(const site::Service& service);
  core::Status add_flow(const site::Flow& flow, std::size_t number);

  // Moves everything into `out`: sets, then service and flow chains, then pair chains. The maps
  // of zone pairs are named by the three constants below; a map is made even when it is empty.
  core::Status finish(Ruleset& out);
  static constexpr const char* kForwardPairs = "zone-pairs";
  static constexpr const char* kInputZones = "to-gatehouse";
  static constexpr const char* kOutputZones = "from-gatehouse";

 private:
  // What a map's key consists of, apart from protocol and port.
  struct Shape {
    std::uint8_t family = 0;  // 0: no address in the key
    bool by_source = false;
    bool by_destination = false;
    bool intervals = false;
    bool by_user = false;
    std::uint32_t group_level = 0;  // 0: no control group in the key
    friend auto operator<=>(const Shape&, const Shape&) = default;
  };
  // Whose packets: any, or a user's, or those of a control group, or both.
  struct Sender {
    std::optional<std::uint32_t> user;
    std::optional<site::ControlGroup> group;
  };
  struct Pair {
    core::SourcePos where;  // of the first grant
    std::map<Shape, SetBuilder> maps;
    std::map<Value, std::string> groups;  // their paths
  };
  using PairName = std::pair<std::string, std::string>;

  core::Status grant(const site::Endpoint& from, const site::Endpoint& to,
                     const std::vector<site::PortRange>& ports, const Sender& sender,
                     const std::string& chain, std::string_view label, const core::SourcePos& where);
  core::Status add_entry(const PairName& name, const core::IpPrefix* source,
                         const core::IpPrefix* destination, const site::PortRange& port, const Sender& sender,
                         const std::string& chain, const Origin& origin);
  core::Result<std::string> interface_of(const std::string& zone, const core::SourcePos& where) const;
  Chain pair_chain(const PairName& name, Pair& pair, Ruleset& out) const;

  const site::Site& site_;
  bool limits_all_ = false;
  std::vector<Set> limit_sets_;
  std::vector<Chain> targets_;
  std::map<PairName, Pair> pairs_;
};

}  // namespace gatehouse::fwctl
