// Protocols that are recognised by what their flows begin with, and not parsed: rules may name them,
// look into their stream, and flow events tell them. One .cc per family exports its rows, registered
// by gatehouse_add_row(ids/parsers/recognised_table NAME): row NAME means
// `std::span<const ParserDescriptor> NAME()`.
#pragma once

#include <algorithm>

#include "ids/parsers/parser.h"

namespace gatehouse::ids::recognised {

// `ports` break ties; with `ports_only` nothing is looked for on others, because what the protocol
// begins with is too common.
constexpr ParserDescriptor row(std::string_view name, std::string_view spec, AppTransport transport,
                               std::span<const std::uint16_t> ports,
                               ProbeVerdict (*probe)(ByteView, Direction, AppTransport),
                               bool ports_only = false) {
  ParserDescriptor d;
  d.name = name;
  d.spec = spec;
  d.transport = transport;
  d.default_ports = ports;
  d.probe = probe;
  d.ports_only = ports_only;
  return d;
}

constexpr ProbeVerdict verdict(bool fits) {
  return fits ? ProbeVerdict::yes : ProbeVerdict::no;
}

// Does `data` begin with `text`, as far as it goes? Letters in `text` are upper case and stand for
// both cases.
constexpr ProbeVerdict begins_with(ByteView data, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == data.size()) return ProbeVerdict::maybe;
    auto c = static_cast<char>(data[i]);
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (c != text[i]) return ProbeVerdict::no;
  }
  return ProbeVerdict::yes;
}

// The best of several.
template <class... Texts>
constexpr ProbeVerdict begins_with_one(ByteView data, Texts... texts) {
  ProbeVerdict best = ProbeVerdict::no;
  for (const std::string_view text : {std::string_view(texts)...})
    best = std::max(best, begins_with(data, text));
  return best;
}

// One BER element (X.690) with a definite length.
struct BerElement {
  std::uint8_t tag = 0;
  std::size_t header = 0, length = 0;  // header 0: it breaks off or is none
};
constexpr BerElement ber_element(ByteView data) {
  if (data.size() < 2) return {};
  BerElement e{data[0], 2, data[1]};
  if (data[1] < 0x80) return e;
  const std::size_t more = data[1] & 0x7fU;
  if (more == 0 || more > 4 || data.size() < 2 + more) return {};
  e.length = 0;
  for (std::size_t i = 0; i < more; ++i) e.length = e.length << 8U | data[2 + i];
  e.header = 2 + more;
  return e;
}

}  // namespace gatehouse::ids::recognised
