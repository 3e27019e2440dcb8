// Packets from text.
#include <algorithm>
#include <charconv>

#include "fwctl/prove/packet_words.h"

namespace gatehouse::fwctl::prove {
namespace {

using Kind = ByteKey::Kind;

class PacketReader {
 public:
  PacketReader(const std::string& text, const InterfaceOf& interface_of, const GroupsOf& groups_of)
      : text_(text), interface_of_(interface_of), groups_of_(groups_of) {}

  core::Result<Packet> read() {
    while (next()) {
      if (!word()) return core::fail(core::Errc::invalid_input, error_, where());
    }
    return finish();
  }

 private:
  core::SourcePos where() const { return {"packet", 1, static_cast<std::uint32_t>(begin_ + 1)}; }
  bool next() {
    begin_ = text_.find_first_not_of(" \t", at_);
    if (begin_ == std::string::npos) return false;
    at_ = std::min(text_.find_first_of(" \t", begin_), text_.size());
    word_ = text_.substr(begin_, at_ - begin_);
    return true;
  }
  bool wrong(std::string error) {
    error_ = std::move(error);
    return false;
  }
  // The word after this one.
  bool take(const std::string& what) {
    if (next()) return true;
    begin_ = text_.size();
    return wrong("expected " + what);
  }
  template <class Number = std::uint32_t>
  static std::optional<Number> number(std::string_view text, Number most) {
    const int base = text.starts_with("0x") ? 16 : 10;
    if (base == 16) text.remove_prefix(2);
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size() || value > most) return std::nullopt;
    return value;
  }
  bool take_byte(const std::string& what, const ByteKey& key) {
    if (!take(what)) return false;
    const auto value = number(word_, 255U);
    if (!value) return wrong("`" + word_ + "` is not a number up to 255");
    packet_.set(key, static_cast<std::uint8_t>(*value));
    return true;
  }

  bool word() {
    if (word_ == "in" || word_ == "out") {
      const bool in = word_ == "in";
      if (!take("an interface or a zone")) return false;
      const std::string name = interface_of_(word_);
      const bool printable =
          std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
      if (name.empty() || name.size() > 15 || !printable)
        return wrong("`" + word_ + "` is not an interface name");
      packet_.set(in ? Kind::iifname : Kind::oifname, std::string_view(name));
      (in ? in_ : out_) = true;
      return true;
    }
    if (const auto protocol = find(kProtocols, word_)) return put_protocol(*protocol);
    if (word_ == "protocol") {
      if (!take("a protocol number")) return false;
      const auto value = number(word_, 255U);
      return value ? put_protocol(static_cast<std::uint8_t>(*value))
                   : wrong("`" + word_ + "` is not a protocol");
    }
    if (const auto state = find(kStates, word_)) {
      packet_.set({Kind::ct_state}, *state);
      return true;
    }
    if (word_ == "type") return take_byte("an ICMP type", {Kind::transport, 0, 0});
    if (word_ == "hop-limit") return take_byte("a hop limit", {Kind::hop_limit});
    if (word_ == "user") {
      if (!take("the number of a user")) return false;
      const auto value = number(word_, 0xffff'ffff);
      if (!value) return wrong("`" + word_ + "` is not a user");
      packet_.set_user(*value);
      return true;
    }
    if (word_ == "fragment") {
      if (!take("`first` or `later`")) return false;
      const auto piece = find(kPieces, word_);
      if (!piece) return wrong("a fragment is `first` or `later`");
      packet_.set({Kind::fragment}, *piece);
      return true;
    }
    if (word_ == "extension" || word_ == "option") return extension(word_ == "extension");
    if (word_ == "cgroup") return take("the path of a control group, or LEVEL:NUMBER") && group();
    if (word_ == "no-route-back") {
      route_back_ = false;
      return true;
    }
    if (word_ == "banned") {
      packet_.set({Kind::banned}, 1);
      return true;
    }
    if (word_ == ">") return !source_ || destination_ ? wrong("expected SOURCE > DESTINATION") : true;
    if (word_.find('=') != std::string::npos) return other_byte();
    if (flags()) return true;
    return end();
  }
  bool extension(bool v6) {
    if (!take(v6 ? "an extension header of IPv6" : "an option of IPv4")) return false;
    const auto named = v6 ? find(kExtensions, word_) : find(kOptions, word_);
    const auto type = named ? std::optional<std::uint32_t>(*named) : number(word_, 255U);
    if (!type) return wrong("`" + word_ + "` is neither a name nor a number of one");
    const std::uint32_t op = v6 ? NFT_EXTHDR_OP_IPV6 : NFT_EXTHDR_OP_IPV4;
    // A packet that is whole can have the fragment header too.
    packet_.set({Kind::extension, extension_key(op, *type), v6 && *type == kFragmentHeader ? 1U : 0U}, 1);
    extension_of_ = v6 ? 6 : 4;
    return true;
  }
  bool group() {
    const std::size_t colon = word_.find(':');
    if (colon != std::string::npos) {
      const auto level = number(std::string_view(word_).substr(0, colon), 255U);
      const auto id = number<std::uint64_t>(std::string_view(word_).substr(colon + 1), ~std::uint64_t{0});
      if (!level || *level == 0 || !id)
        return wrong("`" + word_ + "` is not LEVEL:NUMBER of a control group");
      packet_.set_group(*level, *id);
      return true;
    }
    const std::vector<std::uint64_t> ids = groups_of_ ? groups_of_(word_) : std::vector<std::uint64_t>{};
    if (ids.empty()) return wrong("there is no control group `" + word_ + "` on this machine");
    for (std::size_t i = 0; i < ids.size(); ++i) packet_.set_group(static_cast<std::uint32_t>(i + 1), ids[i]);
    return true;
  }
  bool put_protocol(std::uint8_t value) {
    packet_.set({Kind::protocol}, value);
    protocol_ = true;
    return true;
  }
  bool flags() {
    if (word_ == "no-flags") {
      flags_ = 0;
      return true;
    }
    std::uint8_t value = 0;
    for (std::size_t at = 0; at <= word_.size();) {
      const std::size_t bar = std::min(word_.find('|', at), word_.size());
      const auto flag = find(kFlags, std::string_view(word_).substr(at, bar - at));
      if (!flag) return false;
      value = static_cast<std::uint8_t>(value | *flag);
      at = bar + 1;
    }
    flags_ = value;
    return true;
  }
  bool other_byte() {
    const std::size_t equals = word_.find('=');
    const std::size_t first = word_.find(':');
    const std::size_t second = first == std::string::npos ? first : word_.find(':', first + 1);
    if (second == std::string::npos || second > equals) return wrong("expected KIND:A:B=VALUE");
    const std::string_view all = word_;
    const auto kind = find(kOtherBytes, all.substr(0, first));
    const auto a = number(all.substr(first + 1, second - first - 1), 0xffff'ffff);
    const auto b = number(all.substr(second + 1, equals - second - 1), 1000U);
    const auto value = number(all.substr(equals + 1), 255U);
    if (!kind || !a || !b || !value) return wrong("`" + word_ + "` is not KIND:A:B=VALUE");
    packet_.set({*kind, *a, *b}, static_cast<std::uint8_t>(*value));
    return true;
  }
  // ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.
  bool end() {
    if (destination_) return wrong("`" + word_ + "` is one word too many");
    std::string address = word_;
    std::optional<std::uint32_t> port;
    const std::size_t colon = word_.rfind(':');
    const bool bracket = word_[0] == '[';
    if (bracket || word_.find(':') == colon) {
      const std::size_t close = bracket ? word_.find(']') : colon;
      if (bracket && close == std::string::npos) return wrong("`" + word_ + "` has no `]`");
      const std::size_t begin = bracket ? 1 : 0;
      address = word_.substr(begin, (close == std::string::npos ? word_.size() : close) - begin);
      if (colon != std::string::npos && colon >= close) {
        port = number(std::string_view(word_).substr(colon + 1), 65535U);
        if (!port) return wrong("`" + word_.substr(colon + 1) + "` is not a port");
      }
    }
    const auto parsed = core::IpAddress::parse(address);
    if (!parsed) return wrong("`" + word_ + "` is neither an address nor a word of a packet");
    if (source_ && parsed->version != source_->version) return wrong("one address is IPv4, the other IPv6");
    packet_.set(source_ ? Kind::destination : Kind::source, *parsed);
    if (port) packet_.set_port(source_ ? kDestinationPort : kSourcePort, static_cast<std::uint16_t>(*port));
    (source_ ? destination_ : source_) = *parsed;
    return true;
  }

  core::Result<Packet> finish() {
    const auto missing = [&](const char* what) {
      return core::fail(core::Errc::invalid_input, std::string("the packet needs ") + what,
                        {"packet", 1, static_cast<std::uint32_t>(text_.size() + 1)});
    };
    if (!in_ && !out_) return missing("`in` or `out` and an interface");
    if (!source_ || !destination_) return missing("SOURCE > DESTINATION");
    if (!protocol_) return missing("a protocol");
    packet_.path = in_ && out_ ? Path::through : in_ ? Path::to_gatehouse : Path::from_gatehouse;
    packet_.family = source_->version;
    if (extension_of_ != 0 && extension_of_ != packet_.family)
      return missing(extension_of_ == 6 ? "addresses of IPv6 for its extension header"
                                        : "addresses of IPv4 for its option");
    if (packet_.byte({Kind::ct_state}) == 0) packet_.set({Kind::ct_state}, kStateNew);
    if (packet_.path != Path::from_gatehouse)
      packet_.set({Kind::fib, route_back_question(), 0}, route_back_ ? 1 : 0);
    if (packet_.protocol() == kProtocolTcp) packet_.set({Kind::transport, 0, kTcpFlags}, flags_.value_or(2));
    if (packet_.bytes.count({Kind::hop_limit}) == 0) packet_.set({Kind::hop_limit}, 64);
    const Packet said = packet_;
    packet_.complete_header();
    for (const auto& [key, value] : said.bytes) {
      if (key.kind == Kind::network) packet_.set(key, value);
    }
    return packet_;
  }

  const std::string& text_;
  const InterfaceOf& interface_of_;
  const GroupsOf& groups_of_;
  std::size_t at_ = 0, begin_ = 0;
  std::string word_, error_;
  Packet packet_;
  std::uint8_t extension_of_ = 0;
  bool in_ = false, out_ = false, protocol_ = false, route_back_ = true;
  std::optional<core::IpAddress> source_, destination_;
  std::optional<std::uint8_t> flags_;
};

}  // namespace

core::Result<Packet> parse_packet(const std::string& text, const InterfaceOf& interface_of,
                                  const GroupsOf& groups_of) {
  return PacketReader(text, interface_of, groups_of).read();
}

}  // namespace gatehouse::fwctl::prove
