// What rules can look at in an HTTP transaction.
#include "ids/keywords/buffers.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kHttp[] = {"http", "http2", "doh2"};

const HttpTransaction& http(const Transaction& tx) {
  return static_cast<const HttpTransaction&>(tx);
}
const HttpMessage& message(const Transaction& tx, Direction direction) {
  return http(tx).message[index(direction)];
}

// A buffer of one instance; absent when empty.
bool one(std::string_view text, unsigned i, BufferView& out) {
  if (i != 0 || text.empty()) return false;
  out = {core::as_bytes(text), true};
  return true;
}

// A field of the message in this direction. Present and empty is not absent.
bool field(const Transaction& tx, Direction direction, std::string_view name, unsigned i, BufferView& out) {
  const HttpField* found = i == 0 ? message(tx, direction).field(name) : nullptr;
  if (found == nullptr) return false;
  out = {core::as_bytes(found->value), true};
  return true;
}

bool body(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const HttpMessage& m = message(tx, direction);
  if (i != 0 || m.body.empty()) return false;
  out = {m.body, tx.progress[index(direction)] > kHttpBody || m.body_capped};
  return true;
}

// "Name: value" of the i-th field. The line is put together in thread-local room: it lives until
// the next call.
bool header_line(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  thread_local std::string line;
  const auto& fields = message(tx, direction).fields;
  if (i >= fields.size()) return false;
  line.assign(fields[i].name).append(": ").append(fields[i].value);
  out = {core::as_bytes(line), true};
  return true;
}

constexpr BufferDescriptor row(std::string_view name, std::string_view alias, std::string_view modifier,
                               std::optional<Direction> direction, std::uint8_t progress,
                               TransactionGetter get, std::string_view summary) {
  BufferDescriptor d;
  d.name = name;
  d.alias = alias;
  d.modifier = modifier;
  d.protocols = kHttp;
  d.direction = direction;
  d.get = get;
  d.min_progress = progress;
  d.final_progress = progress;
  d.summary = summary;
  return d;
}

constexpr auto kRequest = Direction::to_server;
constexpr auto kResponse = Direction::to_client;

#define GET [](const Transaction& tx, [[maybe_unused]] Direction d, unsigned i, BufferView& out)

constexpr BufferDescriptor lower_case(BufferDescriptor d) {
  d.lower_case_only = true;
  return d;
}
constexpr BufferDescriptor until(std::uint8_t final_progress, BufferDescriptor d) {
  d.final_progress = final_progress;
  return d;
}
constexpr BufferDescriptor many(BufferDescriptor d) {
  d.multiple = true;
  return d;
}

const BufferDescriptor kBuffers[] = {
    row(
        "http.uri", "", "http_uri", kRequest, kHttpHeaders, GET { return one(http(tx).uri, i, out); },
        "the request URI, decoded and normalised"),
    row(
        "http.uri.raw", "", "http_raw_uri", kRequest, kHttpHeaders,
        GET { return one(http(tx).uri_raw, i, out); }, "the request URI as sent"),
    row(
        "http.method", "", "http_method", kRequest, kHttpHeaders,
        GET { return one(http(tx).method, i, out); }, "the request method"),
    row(
        "http.request_line", "http_request_line", "", kRequest, kHttpHeaders,
        GET { return one(http(tx).request().line, i, out); }, "the request line"),
    row(
        "http.response_line", "http_response_line", "", kResponse, kHttpHeaders,
        GET { return one(http(tx).response().line, i, out); }, "the status line"),
    row(
        "http.stat_code", "", "http_stat_code", kResponse, kHttpHeaders,
        GET { return one(http(tx).status_text, i, out); }, "the status code"),
    row(
        "http.stat_msg", "", "http_stat_msg", kResponse, kHttpHeaders,
        GET { return one(http(tx).status_message, i, out); }, "the reason phrase"),
    row(
        "http.protocol", "http_protocol", "", std::nullopt, kHttpHeaders,
        GET { return one(message(tx, d).protocol, i, out); }, "the protocol of the first line"),
    lower_case(row(
        "http.host", "", "http_host", kRequest, kHttpBody, GET { return one(http(tx).host, i, out); },
        "the host, lower case, without port")),
    row(
        "http.host.raw", "", "http_raw_host", kRequest, kHttpBody,
        GET { return one(http(tx).host_raw, i, out); }, "the host as sent"),
    row(
        "http.user_agent", "", "http_user_agent", kRequest, kHttpBody,
        GET { return field(tx, d, "User-Agent", i, out); }, "the User-Agent field"),
    row(
        "http.referer", "http_referer", "", kRequest, kHttpBody,
        GET { return field(tx, d, "Referer", i, out); }, "the Referer field"),
    row(
        "http.accept", "http_accept", "", kRequest, kHttpBody, GET { return field(tx, d, "Accept", i, out); },
        "the Accept field"),
    row(
        "http.accept_enc", "http_accept_enc", "", kRequest, kHttpBody,
        GET { return field(tx, d, "Accept-Encoding", i, out); }, "the Accept-Encoding field"),
    row(
        "http.accept_lang", "http_accept_lang", "", kRequest, kHttpBody,
        GET { return field(tx, d, "Accept-Language", i, out); }, "the Accept-Language field"),
    row(
        "http.connection", "http_connection", "", std::nullopt, kHttpBody,
        GET { return field(tx, d, "Connection", i, out); }, "the Connection field"),
    row(
        "http.content_type", "http_content_type", "", std::nullopt, kHttpBody,
        GET { return field(tx, d, "Content-Type", i, out); }, "the Content-Type field"),
    row(
        "http.content_len", "http_content_len", "", std::nullopt, kHttpBody,
        GET { return field(tx, d, "Content-Length", i, out); }, "the Content-Length field"),
    row(
        "http.cookie", "", "http_cookie", std::nullopt, kHttpBody,
        GET { return one(http(tx).cookie(d), i, out); }, "the Cookie or Set-Cookie field"),
    row(
        "http.server", "", "", kResponse, kHttpBody, GET { return field(tx, d, "Server", i, out); },
        "the Server field"),
    row(
        "http.location", "", "", kResponse, kHttpBody, GET { return field(tx, d, "Location", i, out); },
        "the Location field"),
    row(
        "http.header", "", "http_header", std::nullopt, kHttpBody,
        GET { return one(message(tx, d).normal_headers, i, out); }, "all fields but cookies, normalised"),
    row(
        "http.header.raw", "", "http_raw_header", std::nullopt, kHttpBody,
        GET { return one(message(tx, d).raw_headers, i, out); }, "all fields as sent"),
    row(
        "http.header_names", "http_header_names", "", std::nullopt, kHttpBody,
        GET { return one(message(tx, d).header_names, i, out); }, "the names of all fields"),
    row(
        "http.start", "http_start", "", std::nullopt, kHttpBody,
        GET { return one(message(tx, d).start, i, out); }, "first line and fields"),
    many(row("http.request_header", "http_request_header", "", kRequest, kHttpBody, header_line,
             "each field of the request")),
    many(row("http.response_header", "http_response_header", "", kResponse, kHttpBody, header_line,
             "each field of the response")),
    until(kHttpTrailer,
          row("http.request_body", "", "http_client_body", kRequest, kHttpBody, body, "the request body")),
    until(kHttpTrailer,
          row("http.response_body", "", "http_server_body", kResponse, kHttpBody, body, "the response body")),
};

#undef GET

}  // namespace

std::span<const BufferDescriptor> buffer_family_http_buffers() {
  return kBuffers;
}

}  // namespace gatehouse::ids
