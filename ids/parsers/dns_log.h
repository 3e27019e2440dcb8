#pragma once

#include "ids/parsers/dns_transaction.h"

namespace gatehouse::ids::dns {

// Members of the EVE dns object, in the layout LogOptions asks for.
void write_dns_log(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);
// Layout 2 has one record per question of a request.
unsigned dns_log_records(const Transaction& tx, const LogOptions& options);

}  // namespace gatehouse::ids::dns
