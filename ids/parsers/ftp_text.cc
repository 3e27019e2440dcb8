// The texts of FTP: data addresses, reply lines, log objects.
#include <array>
#include <charconv>

#include "ids/parsers/ftp_transaction.h"

namespace gatehouse::ids {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A decimal number at the start of `text`, taken away from it.
std::optional<unsigned> take_number(std::string_view& text, unsigned most) {
  unsigned value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc{} || value > most) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
  return value;
}

}  // namespace

std::string_view FtpReplyLine::code() const {
  const bool has_code = line.size() >= 3 && is_digit(line[0]) && is_digit(line[1]) && is_digit(line[2]);
  return has_code && (line.size() == 3 || line[3] == ' ') ? std::string_view(line).substr(0, 3)
                                                          : std::string_view{};
}

std::string_view FtpReplyLine::text() const {
  const std::string_view all = line;
  return code().empty() ? all : all.substr(std::min<std::size_t>(4, all.size()));
}

bool FtpTransaction::sets_data_port() const {
  return command == "PORT" || command == "EPRT" || command == "PASV" || command == "EPSV";
}

namespace ftp {

std::optional<DataAddress> parse_host_port(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) || (at > 0 && is_digit(text[at - 1]))) continue;
    std::string_view rest = text.substr(at);
    std::array<unsigned, 6> numbers{};
    std::size_t count = 0;
    while (count < numbers.size()) {
      const auto number = take_number(rest, 255);
      if (!number) break;
      numbers[count++] = *number;
      if (count == numbers.size() || !rest.starts_with(',')) break;
      rest.remove_prefix(1);
    }
    if (count != numbers.size()) continue;
    DataAddress result;
    result.address = IpAddress::v4(numbers[0] << 24U | numbers[1] << 16U | numbers[2] << 8U | numbers[3]);
    result.port = static_cast<std::uint16_t>(numbers[4] << 8U | numbers[5]);
    return result;
  }
  return std::nullopt;
}

std::optional<DataAddress> parse_extended_port(std::string_view text) {
  if (text.empty() || text.front() < 33 || text.front() > 126 || is_digit(text.front())) return std::nullopt;
  const char delimiter = text.front();
  std::array<std::string_view, 3> fields;
  text.remove_prefix(1);
  for (std::string_view& field : fields) {
    const std::size_t end = text.find(delimiter);
    if (end == std::string_view::npos) return std::nullopt;
    field = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  DataAddress result;
  if (!fields[1].empty()) {
    const auto address = IpAddress::parse(fields[1]);
    if (!address) return std::nullopt;
    result.address = *address;
  }
  const auto port = take_number(fields[2], 65535);
  if (!port || *port == 0 || !fields[2].empty()) return std::nullopt;
  result.port = static_cast<std::uint16_t>(*port);
  return result;
}

std::optional<std::uint16_t> parse_passive_port(std::string_view text) {
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos) return std::nullopt;
  // Some servers repeat family and address there, though they must be empty.
  const auto address = parse_extended_port(text.substr(open + 1));
  return address ? std::optional(address->port) : std::nullopt;
}

void write_ftp_log(const Transaction& base, const LogOptions& /*options*/, core::JsonWriter& json) {
  const auto& tx = static_cast<const FtpTransaction&>(base);
  if (!tx.command.empty()) {
    json.field("command", tx.command);
    if (tx.has_argument) {
      json.field("command_data", tx.argument);
      json.field("command_truncated", tx.command_truncated);
    }
  }
  bool any = false;
  for (const FtpReplyLine& reply : tx.replies) {
    if (reply.code().empty()) continue;
    if (!any) json.key("completion_code").begin_array();
    any = true;
    json.string(reply.code());
  }
  if (any) json.end_array();
  if (!tx.replies.empty()) {
    json.key("reply").begin_array();
    for (const FtpReplyLine& reply : tx.replies) json.string(reply.text());
    json.end_array();
  }
  if (tx.dynamic_port != 0) json.field("dynamic_port", tx.dynamic_port);
  if (tx.sets_data_port()) json.field("mode", std::string_view(tx.active ? "active" : "passive"));
  json.field("reply_received", std::string_view(tx.done() ? "yes" : "no"));
  json.field("reply_truncated", tx.reply_truncated);
}

void write_ftp_data_log(const Transaction& base, const LogOptions& /*options*/, core::JsonWriter& json) {
  const auto& tx = static_cast<const FtpDataTransaction&>(base);
  if (!tx.files.empty() && !tx.files.front().name.empty()) json.field("filename", tx.files.front().name);
  if (!tx.command.empty()) json.field("command", tx.command);
}

}  // namespace ftp
}  // namespace gatehouse::ids
