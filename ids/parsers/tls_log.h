#pragma once

#include "ids/parsers/tls_transaction.h"

namespace gatehouse::ids::tls {

// Members of the EVE tls object.
void write_tls_log(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);

}  // namespace gatehouse::ids::tls
