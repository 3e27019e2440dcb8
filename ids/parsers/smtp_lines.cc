#include "ids/parsers/smtp_lines.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "ids/parsers/mime_text.h"

namespace gatehouse::ids::smtp {
namespace {

struct VerbName {
  std::string_view name;
  Verb verb;
};
constexpr VerbName kVerbs[] = {
    {"helo", Verb::helo},
    {"ehlo", Verb::helo},
    {"lhlo", Verb::helo},
    {"mail", Verb::mail},
    {"rcpt", Verb::rcpt},
    {"data", Verb::data},
    {"bdat", Verb::bdat},
    {"rset", Verb::rset},
    {"quit", Verb::quit},
    {"auth", Verb::auth},
    {"starttls", Verb::starttls},
    {"noop", Verb::other},
    {"vrfy", Verb::other},
    {"expn", Verb::other},
    {"help", Verb::other},
    {"turn", Verb::other},
    {"etrn", Verb::other},
    {"atrn", Verb::other},
    {"send", Verb::other},
    {"soml", Verb::other},
    {"saml", Verb::other},
    {"burl", Verb::other},
    {"xclient", Verb::other},
    {"xforward", Verb::other},
    {"x-anonymoustls", Verb::starttls},
    {"xexch50", Verb::other},
};

// RFC 5321 4.2.3, and those of its extensions (RFC 3207, 4954, 3463's registry, 7504).
constexpr unsigned kCodes[] = {211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 401, 402, 421, 422,
                               430, 432, 435, 450, 451, 452, 453, 454, 455, 458, 459, 500, 501, 502,
                               503, 504, 510, 511, 512, 515, 517, 521, 522, 523, 525, 530, 533, 534,
                               535, 538, 541, 543, 550, 551, 552, 553, 554, 555, 556, 571, 573};

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// The path of MAIL FROM: and RCPT TO: up to its parameters. Blanks within quotes belong to it.
std::string_view path_of(std::string_view text) {
  text = mime::trim_blanks(text);
  std::size_t end = 0;
  bool quoted = false;
  while (end < text.size() && (quoted || !is_blank(text[end]))) {
    if (text[end] == '\\' && quoted && end + 1 < text.size())
      ++end;
    else if (text[end] == '"')
      quoted = !quoted;
    ++end;
  }
  // A quote that is never closed is none.
  if (quoted) end = std::min(text.find_first_of(" \t"), text.size());
  return text.substr(0, std::min(end, text.size()));
}

// `FROM:<a@b> SIZE=5` to the path; nothing when the word or its colon is missing.
std::optional<std::string_view> path_after(std::string_view argument, std::string_view word) {
  if (!mime::equals_nocase(argument.substr(0, word.size()), word)) return std::nullopt;
  argument.remove_prefix(word.size());
  while (!argument.empty() && is_blank(argument.front())) argument.remove_prefix(1);
  if (argument.empty() || argument.front() != ':') return std::nullopt;
  return path_of(argument.substr(1));
}

}  // namespace

Command parse_command(std::string_view line) {
  Command out;
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  std::size_t end = 0;
  while (end < line.size() && !is_blank(line[end]) && line[end] != '\r') ++end;
  const std::string_view word = line.substr(0, end);
  for (const VerbName& verb : kVerbs) {
    if (!mime::equals_nocase(word, verb.name)) continue;
    out.verb = verb.verb;
    out.known = true;
  }
  out.argument = line.substr(end);
  while (!out.argument.empty() && is_blank(out.argument.front())) out.argument.remove_prefix(1);
  if (out.verb == Verb::mail || out.verb == Verb::rcpt) {
    const auto path = path_after(out.argument, out.verb == Verb::mail ? "from" : "to");
    if (!path) return {Verb::other, true, out.argument};
    out.argument = *path;
  } else if (out.verb == Verb::helo) {
    // Behind the name stands nothing; a line cut at its limit still has its CR.
    out.argument = out.argument.substr(0, std::min(out.argument.find_first_of(" \t"), out.argument.size()));
  }
  return out;
}

std::optional<Chunk> parse_chunk(std::string_view argument) {
  Chunk out;
  argument = mime::trim_blanks(argument);
  const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), out.size);
  if (error != std::errc{} || out.size > 0xffff'ffffU) return std::nullopt;
  const std::string_view rest = argument.substr(static_cast<std::size_t>(end - argument.data()));
  if (rest.empty()) return out;
  if (!is_blank(rest.front()) || !mime::equals_nocase(mime::trim_blanks(rest), "last")) return std::nullopt;
  out.last = true;
  return out;
}

std::optional<Reply> parse_reply(std::string_view line) {
  if (line.size() < 3) return std::nullopt;
  Reply out;
  for (const char c : line.substr(0, 3)) {
    if (c < '0' || c > '9') return std::nullopt;
    out.code = out.code * 10 + static_cast<unsigned>(c - '0');
  }
  out.more = line.size() > 3 && line[3] == '-';
  out.known = std::find(std::begin(kCodes), std::end(kCodes), out.code) != std::end(kCodes);
  return out;
}

}  // namespace gatehouse::ids::smtp
