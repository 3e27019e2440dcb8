// Limits and switches of the parsers and of their log objects; filled from the engine settings.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gatehouse::ids {

class ExpectedFlows;  // expected.h

struct HttpConfig {
  std::uint64_t request_body_limit = 100 * 1024;  // bytes kept for inspection; 0: unlimited
  std::uint64_t response_body_limit = 100 * 1024;
  unsigned decompress_layer_limit = 2;
  std::uint64_t decompression_limit = 1024 * 1024;  // output bytes of one body: bomb guard
  bool double_decode_path = false;
  bool double_decode_query = false;
  std::uint64_t max_header_bytes = 18'000;  // one header field; beyond: event, field cut
  unsigned max_transactions = 512;          // open at once in one flow
  bool lzma = false;                        // bodies with Content-Encoding: lzma are decoded
  std::uint64_t lzma_memory = 1024 * 1024;  // a stream that needs more is not decoded
};

struct Http2Config {
  unsigned max_streams = 256;                       // open at once in one flow
  std::uint32_t max_table_bytes = 65536;            // of the HPACK table, per direction
  std::uint32_t max_header_block_bytes = 102400;    // of HEADERS and its CONTINUATIONs
  unsigned max_frames = 65536;                      // of one stream
  std::uint64_t decompression_limit = 1024 * 1024;  // output bytes of one body: bomb guard
};

struct DnsConfig {
  unsigned max_transactions = 500;
};

// What becomes of a flow once it is encrypted.
enum class EncryptedData : std::uint8_t {
  track_only,  // rules no longer look into its payload
  bypass,      // with stream.bypass its packets are only counted
  full,        // all goes on
};

struct TlsConfig {
  std::uint32_t max_handshake_bytes = 128 * 1024;  // one message; a longer one is skipped
  unsigned max_chain = 16;                         // certificates kept of one chain
  EncryptedData encrypted = EncryptedData::track_only;
};

struct SshConfig {
  std::optional<bool> hassh;  // fingerprints of the key exchange; empty: when a rule asks for them
  EncryptedData encrypted = EncryptedData::track_only;
};

struct MimeConfig {
  bool decode_base64 = true, decode_quoted_printable = true;
  std::uint32_t header_value_depth = 2000;  // bytes kept of one header field
  bool extract_urls = true;
  std::vector<std::string> url_schemes = {"http"};  // without "://"
  bool log_url_scheme = false;
  bool body_md5 = false;
};

struct SmtpConfig {
  MimeConfig mime;
  bool decode_mime = true;
  bool raw_extraction = false;            // the whole message as one file, "rawmsg"
  std::uint64_t content_limit = 100'000;  // bytes of one attachment kept for inspection; 0: unlimited
  unsigned max_transactions = 256;        // open at once in one flow
};

struct FtpConfig {
  std::uint64_t memcap = 0;  // bytes all control connections may keep together; 0: no limit
  // What they keep; shared by the copies of one configuration.
  std::shared_ptr<std::atomic<std::uint64_t>> memory = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::uint32_t max_line_bytes = 4096;  // of a command or reply; beyond: event, line cut
  unsigned max_transactions = 1024;
  std::uint64_t file_limit = 100 * 1024;  // bytes of a file kept for inspection; 0: unlimited
};

// Per protocol: is it parsed at all, and which destination ports start its probing. Per transport:
// [0]: TCP, [1]: UDP.
struct ProtocolSwitch {
  std::string name;  // parser name
  bool enabled = true;
  std::array<bool, 2> transports = {true, true};
  bool detection_only = false;
  std::array<std::vector<std::uint16_t>, 2> ports;  // empty: the descriptor's default
};

struct ParserConfig {
  HttpConfig http;
  Http2Config http2;
  DnsConfig dns;
  TlsConfig tls;
  SshConfig ssh;
  FtpConfig ftp;
  SmtpConfig smtp;
  std::uint32_t detection_window = 4096;  // bytes per direction looked at to find the protocol
  std::vector<ProtocolSwitch> protocols;
  // Announced flows, of all workers that share it; empty: the AppLayer makes one of its own.
  std::shared_ptr<ExpectedFlows> expected_flows;
};

struct LogOptions {
  bool http_extended = true;
  bool http_request_headers = false, http_response_headers = false;  // all header fields, as lists
  std::uint64_t http_fields = 0;  // further header fields: bits of http_field_table()
  bool tls_extended = true;
  bool tls_ja3 = true, tls_ja4 = true;
  bool tls_client_handshake = false;  // what the ClientHello offered, as lists
  bool email_extended = false;        // the fields most looked for
  std::uint32_t email_fields = 0;     // further ones: bits of email_field_table()
  bool email_body_md5 = false, email_subject_md5 = false;
  int dns_version = 3;                           // EVE layout: 2 or 3; inside an alert always 3
  unsigned record = 0;                           // which of ParserDescriptor::log_records to write
  bool dns_grouped = true, dns_detailed = true;  // response formats
};

}  // namespace gatehouse::ids
