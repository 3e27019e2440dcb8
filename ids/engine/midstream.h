// Connections that were under way before the capture began.
#pragma once

#include "ids/parsers/app_flow.h"

namespace gatehouse::ids::engine {

// Whoever is seen first in a connection without a handshake counts as the client. When the first bytes are
// what only a server says, the flow is turned round, and its application layer begins anew with them. True:
// it was; directions taken from the flow before are the wrong way round.
bool turn_to_server(Flow& flow, AppLayer& layer, std::int64_t time_us);

}  // namespace gatehouse::ids::engine
