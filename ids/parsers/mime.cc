#include "ids/parsers/mime.h"

#include <algorithm>
#include <utility>

namespace gatehouse::ids {
namespace {

constexpr std::size_t kMaxPiece = 4096;      // of a line, handed on at once
constexpr std::size_t kMaxLine = 998;        // RFC 5322 2.1.1
constexpr std::size_t kMaxEncodedLine = 76;  // RFC 2045 6.7, 6.8
constexpr std::size_t kMaxFieldName = 75;
constexpr std::size_t kMaxFieldBytes = 16 * 1024;  // read of one field, however little is kept
constexpr std::size_t kMaxHeaderBytes = 256 * 1024;
constexpr std::size_t kMaxFields = 1024;
constexpr std::size_t kMaxBoundary = 254;
constexpr std::size_t kMaxNesting = 32;  // multiparts in multiparts
constexpr unsigned kMaxDepth = 8;        // encoded messages in messages
constexpr std::size_t kMaxFilename = 255;
constexpr std::size_t kMaxAttachments = 256;

const FilePolicy& md5_policy() {
  static const FilePolicy policy = [] {
    FilePolicy p;
    p.needs.hashes[static_cast<std::size_t>(FileHash::md5)] = true;
    return p;
  }();
  return policy;
}

bool is_text(const std::string& type) {
  return type.empty() || type == "text" || type == "text/plain" || type == "text/html";
}

bool is_message(const std::string& type) {
  return type == "message/rfc822" || type == "message/global" || type == "message/news";
}

// A line that a mailbox file or a relay left before the header.
bool is_envelope_line(std::string_view line) {
  return line.starts_with("From ") || line.starts_with(">From ");
}

}  // namespace

const std::string* Email::field(std::string_view name, unsigned index) const {
  for (const EmailField& f : fields) {
    if (f.name == name && index-- == 0) return &f.value;
  }
  return nullptr;
}

MimeParser::MimeParser(const MimeConfig& config, MimeHandler& handler, Email& email, unsigned depth)
    : config_(config), handler_(handler), email_(email), depth_(depth), outer_(depth == 0) {
  if (depth == 0 && config.body_md5)
    body_digest_ = std::make_unique<TransferredFile>("", Direction::to_server, 1, &md5_policy());
}

MimeParser::~MimeParser() = default;

void MimeParser::feed(core::ByteView bytes) {
  for (std::string_view rest = core::as_text(bytes); !rest.empty();) {
    const std::size_t room = kMaxPiece - pending_.size();
    const std::size_t newline = rest.substr(0, room).find('\n');
    const bool ends = newline != std::string_view::npos;
    if (!ends && rest.size() < room) {
      pending_ += rest;
      return;
    }
    const std::size_t take = ends ? newline + 1 : room;
    std::string_view text = rest.substr(0, take);
    rest.remove_prefix(take);
    if (!pending_.empty()) {
      pending_ += text;
      text = pending_;
    }
    std::size_t end_bytes = ends ? 1 : 0;
    if (ends && text.size() > 1 && text[text.size() - 2] == '\r') end_bytes = 2;
    const bool starts = line_start_;
    line_start_ = ends;
    piece(text.substr(0, text.size() - end_bytes), text.substr(text.size() - end_bytes), starts, ends);
    pending_.clear();
  }
}

void MimeParser::finish(bool complete) {
  if (!pending_.empty()) {
    const std::string last = std::move(pending_);
    pending_.clear();
    piece(last, {}, line_start_, true);
  }
  if (state_ == State::header) {
    if (!line_.empty()) header_line(line_, {});
    close_field();
    if (outer_) email_.header_done = true;
  }
  end_leaf(complete);
  if (depth_ != 0) return;
  if (body_digest_) {
    body_digest_->close(FileState::closed);
    if (const auto digest = body_digest_->digest(FileHash::md5)) email_.body_md5 = hex_text(*digest);
    body_digest_.reset();
  }
  email_.done = true;
}

void MimeParser::piece(std::string_view text, std::string_view line_end, bool starts, bool ends) {
  measure(text.size(), starts);
  bool in_body = email_.header_done;
  if (skip_line_) {
    skip_line_ = !ends;
  } else if (state_ == State::header) {
    header_piece(text, line_end, ends);
    in_body = in_body || std::exchange(line_is_body_, false);
  } else if (starts && text.starts_with("--") && at_boundary(text)) {
    skip_line_ = !ends;
  } else {
    body_piece(text, line_end, starts);
  }
  if (!body_digest_ || !in_body) return;
  body_digest_->append(core::as_bytes(text));
  body_digest_->append(core::as_bytes(line_end));
}

void MimeParser::measure(std::size_t bytes, bool starts) {
  if (starts) line_bytes_ = 0;
  const std::size_t before = line_bytes_;
  line_bytes_ += bytes;
  const auto crossed = [&](std::size_t limit) { return before <= limit && line_bytes_ > limit; };
  if (crossed(kMaxLine)) handler_.mime_event(MimeEvent::long_line);
  if (state_ == State::body && leaf_ && coding_ != Coding::none && crossed(kMaxEncodedLine))
    handler_.mime_event(MimeEvent::long_encoded_line);
}

void MimeParser::begin_header() {
  state_ = State::header;
  any_field_ = false;
  header_bytes_ = 0;
  line_.clear();
  type_.clear();
  disposition_.clear();
  coding_text_.clear();
}

void MimeParser::header_piece(std::string_view text, std::string_view line_end, bool ends) {
  line_ += text.substr(0, kMaxFieldBytes - std::min(kMaxFieldBytes, line_.size()));
  if (!ends) return;
  const std::string line = std::move(line_);
  line_.clear();
  header_line(line, line_end);
}

void MimeParser::header_line(std::string_view line, std::string_view line_end) {
  if (line.empty()) {
    close_field();
    begin_body();
    return;
  }
  const bool folded = (line.front() == ' ' || line.front() == '\t') && any_field_;
  if (folded) {
    const std::string_view more = mime::trim_blanks(line);
    field_bytes_ += more.size() + 1;
    const std::size_t room = kMaxFieldBytes - std::min(kMaxFieldBytes, field_.value.size());
    if (!field_.value.empty() && room > 0) field_.value.push_back(' ');
    field_.value += more.substr(0, room);
    return;
  }
  close_field();
  if (line.starts_with("--") && at_boundary(line)) return;
  const mime::FieldLine parts = mime::split_field(line);
  if (parts.name.empty()) {
    // Text where a header should be: without any field before it, the body has begun.
    if (any_field_ || is_envelope_line(line)) return;
    line_is_body_ = outer_;
    begin_body();
    return body_piece(line, line_end, true);
  }
  any_field_ = true;
  if (parts.name.size() > kMaxFieldName) handler_.mime_event(MimeEvent::long_header_name);
  field_.name = mime::lower_ascii(parts.name.substr(0, kMaxLine));
  field_.value = parts.value;
  field_bytes_ = parts.value.size();
}

void MimeParser::close_field() {
  if (field_.name.empty()) return;
  if (field_bytes_ > config_.header_value_depth) handler_.mime_event(MimeEvent::long_header_value);
  std::string* part = field_.name == "content-type"                ? &type_
                      : field_.name == "content-disposition"       ? &disposition_
                      : field_.name == "content-transfer-encoding" ? &coding_text_
                                                                   : nullptr;
  // Said twice, the first counts.
  if (part != nullptr && part->empty()) *part = field_.value;
  const std::size_t bytes = field_.name.size() + field_.value.size();
  if (outer_ && email_.fields.size() < kMaxFields && header_bytes_ + bytes <= kMaxHeaderBytes) {
    header_bytes_ += bytes;
    if (field_.value.size() > config_.header_value_depth) field_.value.resize(config_.header_value_depth);
    email_.fields.push_back(std::move(field_));
  }
  field_ = {};
}

// The header is over: what follows it?
void MimeParser::begin_body() {
  state_ = State::body;
  line_end_.clear();
  ignore_ = false;
  if (outer_) email_.header_done = true;
  outer_ = false;
  const mime::StructuredValue type = mime::parse_structured(type_);
  const mime::StructuredValue disposition = mime::parse_structured(disposition_);
  const std::string coding = mime::parse_structured(coding_text_).main;
  coding_ = coding == "base64"             ? Coding::base64
            : coding == "quoted-printable" ? Coding::quoted_printable
                                           : Coding::none;
  std::string name = mime::decode_words(disposition.parameter("filename"));
  if (name.empty()) name = mime::decode_words(type.parameter("name"));
  if (name.size() > kMaxFilename) {
    handler_.mime_event(MimeEvent::long_filename);
    name.resize(kMaxFilename);
  }
  if (!name.empty() && email_.attachments.size() < kMaxAttachments) email_.attachments.push_back(name);
  if (type.main.starts_with("multipart/")) return begin_multipart(type.parameter("boundary"));
  if (is_message(type.main)) return begin_embedded(coding_);
  const bool file =
      !name.empty() || disposition.main == "attachment" || type.main.starts_with("application/");
  begin_leaf(type, std::move(name), file);
}

void MimeParser::begin_multipart(std::string boundary) {
  ignore_ = true;
  leaf_ = false;
  if (boundaries_.size() >= kMaxNesting) return handler_.mime_event(MimeEvent::parse_failed);
  if (boundary.size() > kMaxBoundary) handler_.mime_event(MimeEvent::long_boundary);
  boundary.resize(std::min(boundary.size(), kMaxLine));
  guess_boundary_ = boundary.empty();
  boundaries_.push_back(std::move(boundary));
}

// RFC 2046 5.2.1 forbids to encode a message, so an encoding may be a lie, or not: its first line tells.
void MimeParser::begin_embedded(Coding coding) {
  if (coding == Coding::none) return begin_header();
  sniff_ = true;
  leaf_ = true;
}

void MimeParser::begin_leaf(const mime::StructuredValue& type, std::string name, bool file) {
  leaf_ = true;
  if ((coding_ == Coding::base64 && !config_.decode_base64) ||
      (coding_ == Coding::quoted_printable && !config_.decode_quoted_printable))
    coding_ = Coding::none;
  base64_ = {};
  quoted_ = {};
  file_ = file && handler_.begin_file(std::move(name));
  if (config_.extract_urls && is_text(type.main))
    urls_ = std::make_unique<mime::UrlFinder>(config_, email_.urls);
}

void MimeParser::body_piece(std::string_view text, std::string_view line_end, bool starts) {
  if (sniff_ && starts && !mime::trim_blanks(text).empty()) {
    sniff_ = false;
    if (!mime::split_field(text).name.empty() || depth_ >= kMaxDepth) {
      leaf_ = false;
      begin_header();
      return header_piece(text, line_end, !line_end.empty());
    }
    base64_ = {};
    quoted_ = {};
    embedded_ = std::make_unique<MimeParser>(config_, handler_, email_, depth_ + 1);
  }
  if (ignore_ || !leaf_ || sniff_) return;
  if (!line_end_.empty()) leaf_text(line_end_);
  leaf_text(text);
  line_end_ = line_end;
}

void MimeParser::leaf_text(std::string_view text) {
  if (coding_ == Coding::none) return decoded(core::as_bytes(text));
  scratch_.clear();
  if (coding_ == Coding::base64) {
    base64_.feed(text, scratch_);
  } else {
    quoted_.feed(text, scratch_);
  }
  decoded(scratch_);
}

void MimeParser::decoded(core::ByteView bytes) {
  if (bytes.empty()) return;
  if (file_) handler_.file_data(bytes);
  if (urls_) urls_->feed(bytes);
  if (embedded_) embedded_->feed(bytes);
}

// RFC 2046 5.1.1: a line that begins with a boundary is one. The one that is told exactly goes
// first, because one boundary may begin with another.
bool MimeParser::at_boundary(std::string_view line) {
  const std::string_view text = line.substr(2);
  if (guess_boundary_ && !boundaries_.empty() && boundaries_.back().empty()) {
    const std::string_view told = mime::trim_blanks(text);
    if (told.empty()) return false;
    boundaries_.back() = told.substr(0, kMaxLine);
    guess_boundary_ = false;
  }
  std::size_t found = boundaries_.size();
  bool closing = false;
  const auto tail_of = [&](std::size_t i) { return text.substr(boundaries_[i].size()); };
  for (std::size_t i = boundaries_.size(); i-- > 0 && found == boundaries_.size();) {
    if (boundaries_[i].empty() || !text.starts_with(boundaries_[i])) continue;
    const std::string_view tail = mime::trim_blanks(tail_of(i));
    if (tail.empty() || tail == "--") found = i;
  }
  for (std::size_t i = boundaries_.size(); i-- > 0 && found == boundaries_.size();) {
    if (!boundaries_[i].empty() && text.starts_with(boundaries_[i])) found = i;
  }
  if (found == boundaries_.size()) return false;
  closing = tail_of(found).starts_with("--");
  end_leaf(true);
  guess_boundary_ = false;
  // Its own boundary stays known: parts that come behind the closing one are shown by some readers.
  boundaries_.resize(found + 1);
  if (closing) {
    state_ = State::body;
    ignore_ = true;
  } else {
    begin_header();
  }
  return true;
}

void MimeParser::end_leaf(bool complete) {
  if (leaf_ && coding_ != Coding::none) {
    scratch_.clear();
    if (coding_ == Coding::base64) {
      base64_.finish(scratch_);
      if (base64_.bad()) handler_.mime_event(MimeEvent::invalid_base64);
    } else {
      quoted_.finish(scratch_);
      if (quoted_.bad()) handler_.mime_event(MimeEvent::invalid_quoted_printable);
    }
    decoded(scratch_);
  }
  if (urls_) urls_->finish();
  urls_.reset();
  if (embedded_) embedded_->finish(complete);
  embedded_.reset();
  if (file_) handler_.end_file(complete);
  file_ = leaf_ = sniff_ = false;
  coding_ = Coding::none;
  line_end_.clear();
}

}  // namespace gatehouse::ids
