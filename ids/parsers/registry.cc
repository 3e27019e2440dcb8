#include <array>

#include "ids/parsers/app_flow.h"

namespace gatehouse::ids {

#define ROW(name) extern const ParserDescriptor parser_##name;
#include "ids/parsers/parser_table.inc"
#undef ROW

namespace {

const std::array kTable = {
#define ROW(name) &parser_##name,
#include "ids/parsers/parser_table.inc"
#undef ROW
};

}  // namespace

std::span<const ParserDescriptor* const> parser_table() {
  return kTable;
}

const ParserDescriptor& parser_of(AppProto proto) {
  return *kTable[proto - 1U];
}

AppProto find_parser(std::string_view name) {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i]->name == name) return static_cast<AppProto>(i + 1);
  }
  return kAppUnknown;
}

std::string_view app_proto_name(AppProto proto) {
  if (proto == kAppUnknown) return "unknown";
  if (proto == kAppFailed) return "failed";
  return parser_of(proto).name;
}

}  // namespace gatehouse::ids
