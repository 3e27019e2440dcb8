// What nmap's XML report says about the ports of one host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace gatehouse::drill {

struct NmapPorts {
  std::vector<std::uint16_t> open;  // ascending
  std::size_t filtered = 0;         // no answer, or an ICMP prohibition; UDP: also "open|filtered"
  std::size_t closed = 0;           // the host itself refused: the packet got through

  std::string to_string() const;  // "open 25,80,443; 65532 filtered"
};

// An Error when the report is incomplete: an aborted scan must never look like silence.
core::Result<NmapPorts> parse_nmap_xml(std::string_view xml);

}  // namespace gatehouse::drill
