#include "ids/parsers/session_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gatehouse::ids::testing::fuzz_session("ssh", {data, size});
  return 0;
}
