// What another part includes to put events on their way to the SOC:
//
//   GH_TRY(auto spool, soc::SpoolWriter::open(site.soc.spool, "ids", options));
//   spool->append(eve_line);            // one JSON object, no newline
//   spool->counters().dropped_total();  // for the `stats` event
//
// Link gh_soc_spool (DEPS soc_spool). The forwarder, `socfwd run`, picks every stream up by itself.
#pragma once

#include "soc/spool/event.h"
#include "soc/spool/writer.h"
