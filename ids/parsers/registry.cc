#include <vector>

#include "ids/parsers/app_flow.h"

namespace gatehouse::ids {

#define ROW(name) extern const ParserDescriptor parser_##name;
#include "ids/parsers/parser_table.inc"
#undef ROW
#define ROW(name) std::span<const ParserDescriptor> name();
#include "ids/parsers/recognised_table.inc"
#undef ROW

namespace {

// First what is parsed, then what is only recognised.
std::vector<const ParserDescriptor*> make_table() {
  std::vector<const ParserDescriptor*> table = {
#define ROW(name) &parser_##name,
#include "ids/parsers/parser_table.inc"
#undef ROW
  };
  for (const auto family : {
#define ROW(name) name,
#include "ids/parsers/recognised_table.inc"
#undef ROW
       }) {
    for (const ParserDescriptor& parser : family()) table.push_back(&parser);
  }
  return table;
}

}  // namespace

std::span<const ParserDescriptor* const> parser_table() {
  static const std::vector<const ParserDescriptor*> kTable = make_table();
  return kTable;
}

const ParserDescriptor& parser_of(AppProto proto) {
  return *parser_table()[proto - 1U];
}

AppProto find_parser(std::string_view name) {
  const auto table = parser_table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i]->name == name) return static_cast<AppProto>(i + 1);
  }
  return kAppUnknown;
}

std::string_view app_proto_name(AppProto proto) {
  if (proto == kAppUnknown) return "unknown";
  if (proto == kAppFailed) return "failed";
  return parser_of(proto).name;
}

}  // namespace gatehouse::ids
