#include <gtest/gtest.h>

#include "ids/alert/eve.h"
#include "ids/alert/sha1.h"
#include "ids/alert/text.h"

namespace gatehouse::ids::alert {
namespace {

std::string hex(core::ByteView bytes) {
  std::string out;
  for (const std::uint8_t b : bytes) {
    out += "0123456789abcdef"[b >> 4];
    out += "0123456789abcdef"[b & 15];
  }
  return out;
}

// RFC 3174 section 7.3 and FIPS 180 examples.
TEST(Sha1, PublishedVectors) {
  EXPECT_EQ(hex(sha1(core::as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex(sha1({})), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  EXPECT_EQ(hex(sha1(core::as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  std::string repeated;
  for (int i = 0; i < 80; ++i) repeated += "01234567";
  EXPECT_EQ(hex(sha1(core::as_bytes(repeated))), "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

TEST(Base64, PublishedVectors) {  // RFC 4648 section 10
  const std::pair<std::string_view, std::string_view> rows[] = {{"", ""},
                                                                {"f", "Zg=="},
                                                                {"fo", "Zm8="},
                                                                {"foo", "Zm9v"},
                                                                {"foob", "Zm9vYg=="},
                                                                {"fooba", "Zm9vYmE="},
                                                                {"foobar", "Zm9vYmFy"}};
  for (const auto& [in, want] : rows) {
    std::string out(base64_size(in.size()), '\0');
    EXPECT_EQ(put_base64(out.data(), core::as_bytes(in)), out.data() + out.size());
    EXPECT_EQ(out, want);
  }
}

struct Row {
  const char* name;
  std::uint8_t protocol;
  const char* source;
  const char* destination;
  std::uint16_t first, second;  // ports, or ICMP type and code
  std::uint16_t seed;
  const char* expected;
};

std::string id_of(const EventHeader& header, std::uint16_t seed) {
  const auto id = community_id(header, seed);
  return id ? std::string(id->text()) : "none";
}

EventHeader header_of(const Row& row) {
  EventHeader h;
  h.protocol = row.protocol;
  h.source = *core::IpAddress::parse(row.source);
  h.destination = *core::IpAddress::parse(row.destination);
  if (row.protocol == 1 || row.protocol == 58) {
    h.has_icmp = true;
    h.icmp_type = static_cast<std::uint8_t>(row.first);
    h.icmp_code = static_cast<std::uint8_t>(row.second);
  } else if (row.protocol != 50) {
    h.has_ports = true;
    h.source_port = row.first;
    h.destination_port = row.second;
  }
  return h;
}

// Expected values: computed from the specification's formula with an independent program (Python hashlib).
TEST(CommunityId, Vectors) {
  const Row rows[] = {
      {"tcp", 6, "128.232.110.120", "66.35.250.204", 34855, 80, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
      {"tcp reply", 6, "66.35.250.204", "128.232.110.120", 80, 34855, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
      {"tcp seed 1", 6, "128.232.110.120", "66.35.250.204", 34855, 80, 1, "1:3V71V58M3Ksw/yuFALMcW0LAHvc="},
      {"same address", 6, "10.0.0.1", "10.0.0.1", 2000, 1000, 0, "1:nxwYq30oipX1dGVDLt7tz75Hofc="},
      {"udp", 17, "192.168.1.52", "8.8.8.8", 54585, 53, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
      {"sctp", 132, "192.168.170.8", "192.168.170.56", 7, 80, 0, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="},
      {"echo request", 1, "192.168.0.89", "192.168.0.1", 8, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
      {"echo reply", 1, "192.168.0.1", "192.168.0.89", 0, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
      {"unreachable", 1, "192.168.0.89", "192.168.0.1", 3, 1, 0, "1:LXCfhMUFbYXe+CEMrQuZCbiLY3o="},
      {"neighbour solicitation", 58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 0, 0,
       "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
      {"esp", 50, "10.0.0.1", "10.0.0.2", 0, 0, 0, "1:dX+1pd7Z9Y9hJE/IuQlfvK7bxuA="},
  };
  for (const Row& row : rows) EXPECT_EQ(id_of(header_of(row), row.seed), row.expected) << row.name;
}

TEST(CommunityId, BothDirectionsAgreeButForOneWayIcmp) {
  Row forward{"", 6, "10.0.0.1", "10.0.0.2", 1000, 80, 0, ""};
  Row back{"", 6, "10.0.0.2", "10.0.0.1", 80, 1000, 0, ""};
  EXPECT_EQ(id_of(header_of(forward), 0), id_of(header_of(back), 0));
  forward = {"", 1, "10.0.0.1", "10.0.0.2", 3, 1, 0, ""};
  back = {"", 1, "10.0.0.2", "10.0.0.1", 3, 1, 0, ""};
  EXPECT_NE(id_of(header_of(forward), 0), id_of(header_of(back), 0));
}

TEST(CommunityId, EmptyWithoutAddressesOrIcmpType) {
  EXPECT_EQ(id_of(EventHeader{}, 0), "none");
  EventHeader h = header_of({"", 1, "10.0.0.1", "10.0.0.2", 8, 0, 0, ""});
  h.has_icmp = false;
  EXPECT_EQ(id_of(h, 0), "none");
}

}  // namespace
}  // namespace gatehouse::ids::alert
