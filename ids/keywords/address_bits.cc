// xbits and hostbits: named marks on a host, a pair of hosts or a transaction.
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

enum class Track : std::uint8_t { source, destination, pair, transaction };

constexpr std::uint32_t kXbitSeconds = 30, kHostbitSeconds = 300;  // when the rule names no `expire`
constexpr std::size_t kMostTransactionBits = 64;

struct BitTarget {
  Track track = Track::source;
  std::uint32_t name = 0;
  std::uint32_t seconds = kXbitSeconds;
};

AddressKey key_of(const BitTarget& target, const Packet& packet) {
  switch (target.track) {
    case Track::source:
      return AddressKey::host(packet.source, target.name);
    case Track::destination:
      return AddressKey::host(packet.destination, target.name);
    case Track::pair:
    case Track::transaction:
      break;
  }
  return AddressKey::pair(packet.source, packet.destination, target.name);
}

AddressBits& table_of(const BitTarget& target, RuleResources& resources) {
  return target.track == Track::pair ? resources.pair_bits : resources.host_bits;
}

class BitCondition : public Condition {
 public:
  BitCondition(const BitTarget& target, bool wanted) : target_(target), wanted_(wanted) {}

  bool holds(const InspectContext& context) const override { return is_set(context) == wanted_; }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return target_.track == Track::transaction; }

 private:
  bool is_set(const InspectContext& context) const {
    if (target_.track == Track::transaction) {
      return context.tx != nullptr &&
             std::binary_search(context.tx->bits.begin(), context.tx->bits.end(), target_.name);
    }
    if (context.resources == nullptr || context.packet.ip_version == 0) return false;
    return table_of(target_, *context.resources)
        .is_set(key_of(target_, context.packet), context.packet.time_us);
  }

  BitTarget target_;
  bool wanted_;
};

class BitAction : public MatchAction {
 public:
  BitAction(const BitTarget& target, BitCommand command) : target_(target), command_(command) {}

  void apply(ActionContext& context) const override {
    if (target_.track == Track::transaction) return change(context.tx);
    const Packet& packet = context.packet;
    if (packet.ip_version == 0) return;
    AddressBits& table = table_of(target_, context.resources);
    const AddressKey key = key_of(target_, packet);
    if (command_ == BitCommand::set) table.set(key, packet.time_us, target_.seconds);
    if (command_ == BitCommand::unset) table.unset(key, packet.time_us);
    if (command_ == BitCommand::toggle) table.toggle(key, packet.time_us, target_.seconds);
  }

 private:
  void change(Transaction* tx) const {
    if (tx == nullptr) return;
    const auto place = std::lower_bound(tx->bits.begin(), tx->bits.end(), target_.name);
    const bool set = place != tx->bits.end() && *place == target_.name;
    if (set && command_ != BitCommand::set) tx->bits.erase(place);
    if (!set && command_ != BitCommand::unset && tx->bits.size() < kMostTransactionBits)
      tx->bits.insert(place, target_.name);
  }

  BitTarget target_;
  BitCommand command_;
};

bool parse_command(RuleBuilder& builder, const lang::RuleOption& option, const Part& part,
                   BitCommand& command) {
  static const std::pair<std::string_view, BitCommand> kCommands[] = {{"set", BitCommand::set},
                                                                      {"unset", BitCommand::unset},
                                                                      {"toggle", BitCommand::toggle},
                                                                      {"isset", BitCommand::isset},
                                                                      {"isnotset", BitCommand::isnotset}};
  std::vector<std::string> names = {"noalert"};
  for (const auto& [name, value] : kCommands) {
    if (part.text == name) {
      command = value;
      return true;
    }
    names.emplace_back(name);
  }
  builder
      .error_at(option, part.at, part.text.size(), "bits-command",
                "unknown " + option.name + " command `" + std::string(part.text) + "`")
      .hint = core::did_you_mean(part.text, names);
  return false;
}

bool good_name(RuleBuilder& builder, const lang::RuleOption& option, const Part& part) {
  if (!part.text.empty() && part.text.find_first_of(" \t!|") == std::string_view::npos) return true;
  builder.error_at(option, part.at, part.text.size(), "bits-name", "this is no name of a bit").hint =
      part.text.find('|') == std::string_view::npos ? "" : "several names only go with flowbits";
  return false;
}

void add_bit(RuleBuilder& builder, BitTarget target, BitCommand command, std::string_view name) {
  const bool of_transaction = target.track == Track::transaction;
  RuleResources& r = builder.resources;
  target.name = (of_transaction ? r.transaction_bits : r.address_bits).id_of(name);
  const bool writes = command != BitCommand::isset && command != BitCommand::isnotset;
  const std::string kind = of_transaction ? "tx:" : target.track == Track::pair ? "pair:" : "host:";
  builder.rule.state_uses.push_back({r.state_names.id_of(kind + std::string(name)), writes});
  if (of_transaction) builder.header_like = false;
  if (writes) {
    builder.rule.match_actions.push_back(std::make_unique<BitAction>(target, command));
  } else {
    // Alone, it is asked once per direction, like the header.
    builder.rule.conditions.push_back(std::make_unique<BitCondition>(target, command == BitCommand::isset));
  }
}

// `noalert` stands alone.
bool is_noalert(RuleBuilder& builder, const lang::RuleOption& option, const std::vector<Part>& parts) {
  if (parts[0].text != "noalert") return false;
  if (parts.size() > 1) {
    builder.error_at(option, parts[1].at, parts[1].text.size(), "bits-syntax", "`noalert` takes no name");
  } else {
    builder.rule.noalert = true;
  }
  return true;
}

bool parse_track(RuleBuilder& builder, const lang::RuleOption& option, const Part& part, Track& track) {
  static const std::vector<std::string> kNames = {"ip_src", "ip_dst", "ip_pair", "tx"};
  const auto found = std::find(kNames.begin(), kNames.end(), part.text);
  if (found == kNames.end()) {
    builder.error_at(option, part.at, part.text.size(), "bits-track", "unknown way to track").hint =
        core::did_you_mean(part.text, kNames);
    return false;
  }
  track = static_cast<Track>(found - kNames.begin());
  return true;
}

void apply_xbits(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (is_noalert(builder, option, parts)) return;
  BitCommand command{};
  if (!parse_command(builder, option, parts[0], command)) return;
  if (parts.size() < 2 || parts.size() > 4) {
    builder.error(option, "bits-syntax", "xbits needs a command, a name and what to track").hint =
        "xbits:set,name,track ip_src,expire 60;";
    return;
  }
  if (!good_name(builder, option, parts[1])) return;
  BitTarget target;
  bool has_track = false;
  bool has_expire = false;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    const std::size_t blank = std::min(parts[i].text.find_first_of(" \t"), parts[i].text.size());
    const std::string_view key = parts[i].text.substr(0, blank);
    const Part value = trim({parts[i].text.substr(blank), parts[i].at + blank});
    std::int64_t number = 0;
    if (key == "track" && !has_track) {
      has_track = true;
      if (!parse_track(builder, option, value, target.track)) return;
    } else if (key == "expire" && !has_expire) {
      has_expire = true;
      if (!parse_bounded(builder, option, value, 1, 0x7fff'ffff, number)) return;
      target.seconds = static_cast<std::uint32_t>(number);
    } else {
      builder.error_at(option, parts[i].at, parts[i].text.size(), "bits-syntax", "unknown part of `xbits`")
          .hint = "`track ip_src|ip_dst|ip_pair|tx` and `expire SECONDS`, once each";
      return;
    }
  }
  if (target.track == Track::transaction && has_expire) {
    builder.error(option, "bits-syntax", "a bit of a transaction ends with it: it takes no `expire`");
    return;
  }
  add_bit(builder, target, command, parts[1].text);
}

void apply_hostbits(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (is_noalert(builder, option, parts)) return;
  BitCommand command{};
  if (!parse_command(builder, option, parts[0], command)) return;
  if (parts.size() < 2 || parts.size() > 3) {
    builder.error(option, "bits-syntax", "hostbits needs a command and a name").hint =
        "hostbits:set,name,src;";
    return;
  }
  if (!good_name(builder, option, parts[1])) return;
  BitTarget target;
  target.seconds = kHostbitSeconds;
  if (parts.size() == 3) {
    if (parts[2].text != "src" && parts[2].text != "dst") {
      builder.error_at(option, parts[2].at, parts[2].text.size(), "bits-track", "unknown side of the packet")
          .hint = "src or dst";
      return;
    }
    target.track = parts[2].text == "src" ? Track::source : Track::destination;
  }
  add_bit(builder, target, command, parts[1].text);
}

constexpr KeywordDescriptor kKeywords[] = {
    {"xbits", ValueNeed::required, "sets or tests a named mark of a host, a pair of hosts or a transaction",
     apply_xbits},
    {"hostbits", ValueNeed::required, "sets or tests a named mark of a host", apply_hostbits},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_address_bits() {
  return kKeywords;
}

}  // namespace gatehouse::ids
