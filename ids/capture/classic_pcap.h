// Frames of a classic capture file (tcpdump's, version 2.4), read in blocks. Private to the folder.
#pragma once

#include <memory>
#include <string>

#include "core/os.h"
#include "ids/capture/source.h"

namespace gatehouse::ids {

struct ClassicFormat {
  bool swapped = false;  // the other byte order
  bool nano = false;     // nanoseconds; else microseconds
  std::uint32_t snaplen = 0;
  int link_type = 0;
};

// `fd` stands behind the file header.
std::unique_ptr<Source> read_classic_pcap(core::UniqueFd fd, const ClassicFormat& format, std::string name);

}  // namespace gatehouse::ids
