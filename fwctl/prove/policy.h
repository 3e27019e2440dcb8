// What the site policy means for every packet, written from docs/fwctl.md: independent of the normal form,
// the compiler and the kernel's expressions, so that a mistake in those shows as a difference.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fwctl/prove/fields.h"
#include "fwctl/prove/symbolic.h"
#include "site/model/site.h"

namespace gatehouse::fwctl::prove {

// What the policy says about one packet, and which line says it.
struct Opinion {
  bool accept = false;
  bool limited = false;  // accepted within the limits of its service
  std::string why;       // "web-mail.yaml:30 service web", "docs: no valid state"
};

class Policy {
 public:
  // `large` is shared with the rulesets that are compared.
  Policy(Diagrams& diagrams, Fields& fields, const site::Site& site, LargeSets& large);

  // Leaves: accept, drop, and both with what limits it.
  Node path(Path path);
  // The limits of a leaf; none: accepted whatever comes. Several where the policy grants the same under
  // different limits: any one of them will do.
  using Limits = std::vector<Reason>;
  std::vector<Limits> alternatives(const Leaf& leaf) const;

  // What becomes of a packet behind prerouting and the translation of destinations.
  Node behind_translation(Path path);
  // What prerouting lets in: it looks at the source alone.
  Node admitted();
  // New connections whose source the policy hides, of the packets as they leave.
  Node hidden(Path path);
  // Which packets the SYN proxy takes, and what it says.
  Node answered(Path path);

  // The packets that can exist on this path, as far as headers and connection tracking say.
  // `notrack` rules do not change it: the state is the one that tracking alone would give.
  Node possible(Path path);
  // A SYN alone, in a state that is not a first packet's.
  Node syn_of_known_connection();
  // The same as possible() of packets behind the translation of destinations.
  Node possible_behind(Path path);
  // Narrower and narrower choices of an example, the most wished for first.
  std::vector<Node> wishes(Path path);

  Node banned();
  Node listed();  // the source is on a blocklist
  Node interface_is(ByteKey::Kind kind, std::string_view name);
  Node address_in(ByteKey::Kind kind, const std::vector<core::IpPrefix>& prefixes);

 private:
  class Grants;

  Node is(ByteKey::Kind kind, std::uint8_t value, std::uint32_t b = 0);
  Node among(ByteKey::Kind kind, std::initializer_list<std::uint8_t> values);
  Node state(std::uint8_t state) { return is(ByteKey::Kind::ct_state, state); }
  Node all(std::initializer_list<Node> conditions);
  Node any(const std::vector<Node>& conditions);
  Node source_belongs();
  Node never_outside(ByteKey::Kind kind);
  Node icmp(std::uint8_t type);
  Node neighbour_discovery();
  Node pings();
  Node grants(Path path);
  Node forwarded(Node rest);
  Node translated(Node rest);
  Node translation_asked();
  Node sent_by(std::uint32_t user);
  Node sent_from(std::uint32_t level, std::uint64_t group);
  Node ports_are(site::Transport transport, std::uint16_t first, std::uint16_t last);
  Node limited(const site::Service& service, site::Transport transport);
  Node first_packets();
  Node pieces();
  // What becomes of packets that belong to no connection although they are not refused.
  using Stateless = std::vector<std::pair<Node, Node>>;
  Node tracked(Node rest, const Stateless& stateless = {});
  Node flags_are(std::uint8_t flags);
  Node by_a_program();
  Node at_answered(const site::Service& service, bool as_source);
  Node way_to(const site::Service& service);
  template <class Each>
  void for_each_answered(Each each);
  Node taken_from_tracking();
  Stateless answered_through();
  Node handshakes(Node rest);
  Stateless answers();
  Node decide(Node condition, Node rest) { return d_.choose(condition, d_.leaf(kAccept), rest); }
  Node refuse(Node condition, Node rest) { return d_.choose(condition, d_.leaf(kDrop), rest); }

  Diagrams& d_;
  Fields& f_;
  const site::Site& site_;
  LargeSets& large_;
  std::map<Reason, std::vector<Limits>> several_;
  std::optional<Node> listed_;
  std::list<KernelSet> lists_;  // of the site, in the form that large sets have
};

// The same meaning for one packet, without diagrams.
Opinion opinion_on(const site::Site& site, const Packet& packet);

}  // namespace gatehouse::fwctl::prove
