#include "site/drill/nmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace gatehouse::drill {
namespace {

// The value of attribute `name` in the text of one tag.
std::string_view attribute(std::string_view tag, std::string_view name) {
  const std::string wanted = fmt::format(" {}=\"", name);
  const std::size_t at = tag.find(wanted);
  if (at == std::string_view::npos) return {};
  std::string_view rest = tag.substr(at + wanted.size());
  return rest.substr(0, rest.find('"'));
}

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

core::Status count(NmapPorts& ports, std::string_view state, std::size_t how_many, std::string_view port) {
  if (state == "open" && !port.empty()) {
    ports.open.push_back(static_cast<std::uint16_t>(number(port)));
  } else if (state == "filtered" || state == "open|filtered") {
    ports.filtered += how_many;
  } else if (state == "closed" || state == "unfiltered" || state == "closed|filtered") {
    ports.closed += how_many;
  } else {
    return core::fail(core::Errc::invalid_input, fmt::format("nmap: unexpected port state `{}`", state));
  }
  return {};
}

}  // namespace

std::string NmapPorts::to_string() const {
  std::string text = open.empty() ? "none open" : fmt::format("open {}", fmt::join(open, ","));
  if (filtered != 0) text += fmt::format("; {} filtered", filtered);
  if (closed != 0) text += fmt::format("; {} closed", closed);
  return text;
}

core::Result<NmapPorts> parse_nmap_xml(std::string_view xml) {
  if (xml.find("exit=\"success\"") == std::string_view::npos) {
    return core::fail(core::Errc::io, "nmap did not finish: " + std::string(xml.substr(0, 200)));
  }
  NmapPorts ports;
  std::string_view port;
  while (!xml.empty()) {
    const std::size_t begin = xml.find('<');
    if (begin == std::string_view::npos) break;
    xml.remove_prefix(begin + 1);
    const std::string_view tag = xml.substr(0, xml.find('>'));
    const std::string_view name = tag.substr(0, tag.find(' '));
    if (name == "port") {
      port = attribute(tag, "portid");
    } else if (name == "state") {
      GH_CHECK(count(ports, attribute(tag, "state"), 1, port));
    } else if (name == "extraports") {
      GH_CHECK(count(ports, attribute(tag, "state"), number(attribute(tag, "count")), {}));
    }
  }
  std::sort(ports.open.begin(), ports.open.end());
  return ports;
}

}  // namespace gatehouse::drill
