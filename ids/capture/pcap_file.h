// Frames from a capture file: pcap and pcapng, micro- and nanosecond, either byte order.
#pragma once

#include <memory>
#include <string>

#include "ids/capture/source.h"

namespace gatehouse::ids {

// "-" reads standard input. A file that cannot be opened or does not begin like a capture is an
// Error here (its text names the file); damage further on is an Error of dispatch(), after the
// frames before it were delivered.
core::Result<std::unique_ptr<Source>> open_pcap_file(const std::string& path);

}  // namespace gatehouse::ids
