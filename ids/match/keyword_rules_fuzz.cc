// Rules with every keyword that computes on the data, over whatever bytes come.
#include <cstdlib>

#include "ids/match/detector.h"

namespace {

using namespace gatehouse::ids;

constexpr const char* kRules =
    "alert udp any any -> any any (base64_decode:relative; base64_data; content:!\"a\"; sid:1;)\n"
    "alert udp any any -> any any (asn1:oversize_length 500, bitstring_overflow, double_overflow; sid:2;)\n"
    "alert udp any any -> any any (byte_extract:2,0,v; byte_jump:v,1,relative,multiplier 3,align; "
    "content:\"a\"; distance:v; within:v; sid:3;)\n"
    "alert udp any any -> any any (byte_math:bytes 4, offset 0, oper <<, rvalue 7, result r; "
    "byte_jump:1,r,relative,post_offset r; isdataat:r,relative; sid:4;)\n"
    "alert udp any any -> any any (byte_test:0,>,5,0,string,dec; byte_jump:0,0,string,hex; sid:5;)\n"
    "alert udp any any -> any any (entropy:value > 4; sid:6;)\n"
    "alert udp any any -> any any (rpc:100000,*,*; sid:7;)\n"
    "alert udp any any -> any any (pcre:\"/(a+)(.)/, flow:x, pkt:y\"; content:!\"b\"; distance:-3; sid:8;)\n"
    "alert udp any any -> any any (udpv4-csum:invalid; sid:9;)\n";

std::shared_ptr<const Engine> engine() {
  RuleEnvironment environment;
  gatehouse::core::Diagnostics d;
  const gatehouse::core::SourceText source("fuzz.rules", kRules);
  auto built = Engine::build(check_rules(std::span(&source, 1), environment, d), {});
  if (!built || d.has_errors()) std::abort();
  return *built;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<Detector> detector = Detector::make(engine());
  Packet packet;
  packet.ip_version = 4;
  packet.protocol = kProtoUdp;
  packet.has_transport = true;
  packet.payload = {data, size};
  Flow flow;
  std::vector<Match> out;
  detector->inspect(packet, &flow, out);
  return 0;
}
