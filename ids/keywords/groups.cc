#include "ids/keywords/groups.h"

#include <charconv>

namespace gatehouse::ids {
namespace {

using lang::GroupExpr;
using lang::GroupKind;

constexpr Wide kLargestV4 = 0xffff'ffffU;
constexpr Wide kLargestV6 = ~static_cast<Wide>(0);
constexpr Wide kLargestPort = 0xffffU;

Wide to_wide(const IpAddress& address) {
  Wide value = 0;
  for (const std::uint8_t byte : address.view()) value = value << 8U | byte;
  return value;
}

IpAddress from_wide(Wide value, std::uint8_t version) {
  IpAddress address;
  address.version = version;
  for (std::size_t i = address.size(); i-- > 0; value >>= 8U)
    address.bytes[i] = static_cast<std::uint8_t>(value);
  return address;
}

bool fail(GroupError& error, const GroupExpr& group, std::string code, std::string message,
          std::string hint = {}) {
  error = {std::move(code), std::move(message), std::move(hint), group.at, group.length};
  return false;
}

// "10.0.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::/32" or an address. Bits beyond the prefix are
// ignored: rule sets write "192.168.1.1/24" for the network.
bool parse_block(std::string_view text, IpAddress& address, Wide& first, Wide& last) {
  const std::size_t slash = text.find('/');
  const auto parsed = IpAddress::parse(text.substr(0, slash));
  if (!parsed) return false;
  address = *parsed;
  first = last = to_wide(address);
  if (slash == std::string_view::npos) return true;
  const std::string_view length_text = text.substr(slash + 1);
  const unsigned width = address.is_v4() ? 32 : 128;
  unsigned length = 0;
  const auto [end, failure] =
      std::from_chars(length_text.data(), length_text.data() + length_text.size(), length);
  if (failure != std::errc{} || end != length_text.data() + length_text.size()) {
    const auto mask = IpAddress::parse(length_text);
    if (!mask || !mask->is_v4() || !address.is_v4()) return false;
    const std::uint32_t bits = mask->v4_host_order();
    if ((~bits & (~bits + 1U)) != 0) return false;
    length = static_cast<unsigned>(__builtin_popcount(bits));
  }
  if (length > width) return false;
  const Wide all = width == 32 ? kLargestV4 : kLargestV6;
  const Wide host = length == width ? 0 : all >> length;
  first &= ~host;
  last = first | host;
  return true;
}

bool parse_port(std::string_view text, Wide& port) {
  unsigned value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size() || value > 65535)
    return false;
  port = value;
  return true;
}

}  // namespace

GroupResolver::Sets GroupResolver::everything(GroupKind kind) {
  if (kind == GroupKind::port) return {RangeSet::all(kLargestPort), {}};
  return {RangeSet::all(kLargestV4), RangeSet::all(kLargestV6)};
}

GroupResolver::Sets GroupResolver::complement(const Sets& sets, GroupKind kind) {
  if (kind == GroupKind::port) return {sets.v4.complement(kLargestPort), {}};
  return {sets.v4.complement(kLargestV4), sets.v6.complement(kLargestV6)};
}

bool GroupResolver::resolve_base(const GroupExpr& group, GroupKind kind, Sets& out, GroupError& error) {
  if (kind == GroupKind::port) {
    Wide first = 0;
    Wide last = kLargestPort;
    const bool literal = group.kind == GroupExpr::Kind::literal;
    if (!group.text.empty() && !parse_port(group.text, first)) {
      return fail(error, group, "port-syntax", "`" + group.text + "` is no port",
                  "0 to 65535, or a $VARIABLE");
    }
    if (literal) {
      last = first;
    } else if (!group.text_last.empty() && !parse_port(group.text_last, last)) {
      return fail(error, group, "port-syntax", "`" + group.text_last + "` is no port", "0 to 65535");
    }
    if (first > last)
      return fail(error, group, "range-order", "the range is empty", "write the smaller port first");
    out.v4 = RangeSet::of(first, last);
    return true;
  }
  IpAddress address;
  Wide first = 0;
  Wide last = 0;
  if (!parse_block(group.text, address, first, last)) {
    return fail(error, group, "address-syntax", "`" + group.text + "` is no address or network",
                "10.1.2.3, 10.0.0.0/8, 2001:db8::/32, a range, or a $VARIABLE");
  }
  if (group.kind == GroupExpr::Kind::range) {
    const auto end = IpAddress::parse(group.text_last);
    if (!end || end->version != address.version || first != last) {
      return fail(error, group, "address-syntax", "this is no address range", "write `10.0.0.1-10.0.0.9`");
    }
    last = to_wide(*end);
    if (first > last)
      return fail(error, group, "range-order", "the range is empty", "write the lower address first");
  }
  (address.is_v4() ? out.v4 : out.v6) = RangeSet::of(first, last);
  return true;
}

bool GroupResolver::resolve_variable(const GroupExpr& group, GroupKind kind, Sets& out, GroupError& error) {
  const auto& table = kind == GroupKind::port ? environment_.port_variables : environment_.address_variables;
  const auto& other = kind == GroupKind::port ? environment_.address_variables : environment_.port_variables;
  const auto found = table.find(group.text);
  if (found == table.end()) {
    std::string hint;
    if (other.contains(group.text)) {
      hint = kind == GroupKind::port ? "it is an address variable" : "it is a port variable";
    } else {
      std::vector<std::string> names;
      for (const auto& [name, value] : table) names.push_back('$' + name);
      hint = core::did_you_mean('$' + group.text, names);
    }
    return fail(error, group, "unknown-variable", "the variable $" + group.text + " is not defined", hint);
  }
  const std::string key = (kind == GroupKind::port ? "p" : "a") + group.text;
  const auto known = variables_.find(key);
  if (known != variables_.end()) {
    out = known->second;
    return true;
  }
  if (!resolving_.insert(key).second) {
    return fail(error, group, "variable-cycle", "the variable $" + group.text + " is defined by itself");
  }
  GroupError inner;
  const auto expression = lang::parse_group(found->second, {}, kind);
  bool done = expression.has_value();
  if (!done) inner.message = expression.error().text;
  if (done) done = resolve(*expression, kind, out, inner);
  resolving_.erase(key);
  if (!done) {
    const std::string code = inner.code == "variable-cycle" ? inner.code : "variable-value";
    return fail(error, group, code,
                "the variable $" + group.text + " is `" + found->second + "`: " + inner.message, inner.hint);
  }
  variables_.emplace(key, out);
  return true;
}

bool GroupResolver::resolve_list(const GroupExpr& group, GroupKind kind, Sets& out, GroupError& error) {
  // [a,b,!c] means (a or b) and not c; with negated members only, everything but those.
  Sets wanted;
  Sets refused;
  bool any_wanted = false;
  for (const GroupExpr& item : group.items) {
    GroupExpr plain = item;
    plain.negated = false;
    Sets sets;
    if (!resolve(plain, kind, sets, error)) return false;
    any_wanted = any_wanted || !item.negated;
    Sets& target = item.negated ? refused : wanted;
    target.v4.add(sets.v4);
    target.v6.add(sets.v6);
  }
  if (!any_wanted) wanted = everything(kind);
  const Wide largest = kind == GroupKind::port ? kLargestPort : kLargestV4;
  out.v4 = wanted.v4.minus(refused.v4, largest);
  if (kind == GroupKind::address) out.v6 = wanted.v6.minus(refused.v6, kLargestV6);
  return true;
}

bool GroupResolver::resolve(const GroupExpr& group, GroupKind kind, Sets& out, GroupError& error) {
  bool done = true;
  switch (group.kind) {
    case GroupExpr::Kind::any:
      out = everything(kind);
      break;
    case GroupExpr::Kind::variable:
      done = resolve_variable(group, kind, out, error);
      break;
    case GroupExpr::Kind::list:
      done = resolve_list(group, kind, out, error);
      break;
    case GroupExpr::Kind::literal:
    case GroupExpr::Kind::range:
      done = resolve_base(group, kind, out, error);
      break;
  }
  if (!done) return false;
  if (group.negated) out = complement(out, kind);
  if (out.v4.empty() && out.v6.empty()) {
    return fail(error, group, "group-matches-nothing",
                kind == GroupKind::port ? "no port can match this" : "no address can match this");
  }
  return true;
}

const AddressSet* GroupResolver::addresses(const GroupExpr& group, GroupError& error) {
  const std::string key = lang::print_group(group, GroupKind::address);
  const auto found = address_cache_.find(key);
  if (found != address_cache_.end()) return &found->second;
  Sets sets;
  if (!resolve(group, GroupKind::address, sets, error)) return nullptr;
  AddressSet result;
  result.any = sets.v4.is_all(kLargestV4) && sets.v6.is_all(kLargestV6);
  std::vector<AddressSet::Range> v4, v6;
  for (const WideRange& r : sets.v4.ranges()) v4.push_back({from_wide(r.first, 4), from_wide(r.last, 4)});
  for (const WideRange& r : sets.v6.ranges()) v6.push_back({from_wide(r.first, 6), from_wide(r.last, 6)});
  result.assign(std::move(v4), std::move(v6));
  return &address_cache_.emplace(key, std::move(result)).first->second;
}

const PortSet* GroupResolver::ports(const GroupExpr& group, GroupError& error) {
  const std::string key = lang::print_group(group, GroupKind::port);
  const auto found = port_cache_.find(key);
  if (found != port_cache_.end()) return &found->second;
  Sets sets;
  if (!resolve(group, GroupKind::port, sets, error)) return nullptr;
  PortSet result;
  result.any = sets.v4.is_all(kLargestPort);
  for (const WideRange& r : sets.v4.ranges()) {
    result.ranges.push_back({static_cast<std::uint16_t>(r.first), static_cast<std::uint16_t>(r.last)});
  }
  return &port_cache_.emplace(key, std::move(result)).first->second;
}

const std::shared_ptr<const AddressSet::Ranges>& AddressSet::no_ranges() {
  static const auto none = std::make_shared<const Ranges>();
  return none;
}

void AddressSet::assign(std::vector<Range> v4, std::vector<Range> v6) {
  ranges_ = std::make_shared<const Ranges>(Ranges{std::move(v4), std::move(v6)});
}

bool AddressSet::contains(const IpAddress& a) const {
  if (any) return true;
  const std::vector<Range>& ranges = a.is_v4() ? v4() : v6();
  if (a.version == 0) return false;
  const auto next = std::upper_bound(ranges.begin(), ranges.end(), a, [](const IpAddress& x, const Range& r) {
    return x.bytes < r.first.bytes;
  });
  return next != ranges.begin() && a.bytes <= (next - 1)->last.bytes;
}

bool PortSet::contains(std::uint16_t port) const {
  if (any) return true;
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& r) { return port >= r.first && port <= r.last; });
}

}  // namespace gatehouse::ids
