// Limits and switches of the parsers and of their log objects; filled from the engine settings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gatehouse::ids {

struct HttpConfig {
  std::uint64_t request_body_limit = 100 * 1024;  // bytes kept for inspection; 0: unlimited
  std::uint64_t response_body_limit = 100 * 1024;
  unsigned decompress_layer_limit = 2;
  std::uint64_t decompression_limit = 1024 * 1024;  // output bytes of one body: bomb guard
  bool double_decode_path = false;
  bool double_decode_query = false;
  std::uint64_t max_header_bytes = 18'000;  // one header field; beyond: event, field cut
  unsigned max_transactions = 512;          // open at once in one flow
};

struct DnsConfig {
  unsigned max_transactions = 500;
};

struct TlsConfig {
  std::uint32_t max_handshake_bytes = 128 * 1024;  // one message; a longer one is skipped
  unsigned max_chain = 16;                         // certificates kept of one chain
};

// Per protocol: is it parsed at all, and which destination ports start its probing.
struct ProtocolSwitch {
  std::string name;  // parser name
  bool enabled = true;
  bool detection_only = false;
  std::vector<std::uint16_t> ports;  // empty: the descriptor's default
};

struct ParserConfig {
  HttpConfig http;
  DnsConfig dns;
  TlsConfig tls;
  std::uint32_t detection_window = 4096;  // bytes per direction looked at to find the protocol
  std::vector<ProtocolSwitch> protocols;
};

struct LogOptions {
  bool http_extended = true;
  bool http_request_headers = false, http_response_headers = false;  // all header fields, as lists
  bool tls_extended = true;
  bool tls_ja3 = true, tls_ja4 = true;
  bool tls_client_handshake = false;             // what the ClientHello offered, as lists
  int dns_version = 3;                           // EVE layout: 2 or 3; inside an alert always 3
  unsigned record = 0;                           // which of ParserDescriptor::log_records to write
  bool dns_grouped = true, dns_detailed = true;  // response formats
};

}  // namespace gatehouse::ids
