// The `smtp` and `email` objects of event lines.
#pragma once

#include <span>
#include <string_view>

#include "ids/parsers/parser.h"

namespace gatehouse::ids::smtp {

// Header fields that are logged when asked for; bit i of LogOptions::email_fields is row i.
struct EmailFieldRow {
  std::string_view name;  // of the header field, as configurations write it
  std::string_view key;
  enum class Kind : std::uint8_t { first, all, addresses } kind = Kind::first;
  bool extended = false;  // also with LogOptions::email_extended
};
std::span<const EmailFieldRow> email_field_table();

void write_smtp_log(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);
// The member `email`, when there is a message.
void write_email(const Transaction& tx, const LogOptions& options, core::JsonWriter& json);

}  // namespace gatehouse::ids::smtp
