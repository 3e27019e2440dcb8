// Readers of dataset and reputation files: any bytes are read or refused.
#include <cstdint>

#include "ids/state/dataset_file.h"
#include "ids/state/reputation.h"

namespace gatehouse::ids {
namespace {

void read_as(const core::SourceText& source, std::uint8_t choice) {
  core::Diagnostics diagnostics;
  Dataset set("set", static_cast<DatasetType>(choice % 5), 1U << 20U, 16);
  if ((choice & 0x40U) == 0) {
    if (!read_dataset(source, (choice & 0x20U) != 0, set, diagnostics)) return;
    // What was read is written and read again.
    const std::string text = set.text();
    Dataset copy("copy", set.type(), 1U << 20U, 16);
    if (!read_dataset(core::SourceText("copy", text), false, copy, diagnostics) || copy.text() != text)
      __builtin_trap();
    return;
  }
  const DatasetJson form{(choice & 0x20U) != 0, "a.b", (choice & 0x10U) != 0 ? "c" : "", (choice & 8U) != 0};
  (void)read_json_dataset(source, form, set, diagnostics);
}

void read_reputation(const core::SourceText& source, bool categories) {
  core::Diagnostics diagnostics;
  Reputation reputation;
  if (categories) {
    (void)reputation.read_categories(source, diagnostics);
    return;
  }
  (void)reputation.read_categories(core::SourceText("categories", "1,a,\n2,b,\n"), diagnostics);
  (void)reputation.read_scores(source, diagnostics);
  reputation.build();
  (void)reputation.score(core::IpAddress::v4(0x0a000001), 1);
}

}  // namespace
}  // namespace gatehouse::ids

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const gatehouse::core::SourceText source("fuzz", std::string(data + 1, data + size));
  if ((data[0] & 0x80U) != 0) {
    gatehouse::ids::read_reputation(source, (data[0] & 1U) != 0);
  } else {
    gatehouse::ids::read_as(source, data[0]);
  }
  return 0;
}
