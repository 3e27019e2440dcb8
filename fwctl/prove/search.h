// Looking for a packet: which ones can exist, and of those the most ordinary.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fwctl/prove/policy.h"
#include "fwctl/prove/symbolic.h"

namespace gatehouse::fwctl::prove {

// Names of interfaces that exist, with their indexes: rules may compare either.
using Interfaces = std::vector<std::pair<std::string, std::uint32_t>>;

class Search {
 public:
  using Wanted = std::function<bool(const Leaf&, const Leaf&)>;

  // What is given must outlive this.
  Search(Diagrams& diagrams, Fields& fields, Policy& policy, std::vector<const LiveRuleset*> rulesets,
         const Interfaces& interfaces)
      : d_(diagrams),
        fields_(fields),
        policy_(policy),
        rulesets_(std::move(rulesets)),
        interfaces_(interfaces) {}

  // Policy::possible(), and where rules ask for an interface's index it belongs to its name.
  Node possible(Path path);
  Node possible_behind(Path path);

  // A packet where the pair of leaves of `a` and `b` is wanted. `first` is a path found without `link`.
  std::optional<Packet> ordinary(Path path, Node a, Node b, Node care, Node link, const Wanted& is,
                                 std::vector<std::int8_t> first);

 private:
  Node with_indexes(Path path, Node out);
  bool asks_for_meta(std::uint32_t key) const;
  Word index_word(std::uint32_t key);

  Diagrams& d_;
  Fields& fields_;
  Policy& policy_;
  std::vector<const LiveRuleset*> rulesets_;
  const Interfaces& interfaces_;
};

}  // namespace gatehouse::fwctl::prove
