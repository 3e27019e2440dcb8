// A mail message as it passes (RFC 5322, RFC 2045 to 2049): its header, the files in its parts and
// the addresses in its text. Keeps headers and lines, never bodies.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "ids/parsers/config.h"
#include "ids/parsers/file.h"
#include "ids/parsers/mime_decode.h"
#include "ids/parsers/mime_text.h"
#include "ids/parsers/mime_url.h"

namespace gatehouse::ids {

struct EmailField {
  std::string name;   // lower case
  std::string value;  // unfolded
};

// What is known of one message, and stays when its text is gone.
struct Email {
  std::vector<EmailField> fields;  // of the outermost header
  std::vector<std::string> attachments, urls;
  std::string body_md5;  // all behind the header, as it came; empty: not asked for, or not over yet
  bool header_done = false, done = false;

  // The `index`-th field of that name; null: there is none.
  const std::string* field(std::string_view name, unsigned index = 0) const;
};

enum class MimeEvent : std::uint8_t {
  invalid_base64,
  invalid_quoted_printable,
  long_line,
  long_encoded_line,
  long_header_name,
  long_header_value,
  long_boundary,
  long_filename,
  parse_failed,  // nested deeper, or more in it, than is looked at
};

class MimeHandler {
 public:
  virtual ~MimeHandler() = default;
  // False: no more files are wanted.
  virtual bool begin_file(std::string name) = 0;
  virtual void file_data(core::ByteView bytes) = 0;
  virtual void end_file(bool complete) = 0;
  virtual void mime_event(MimeEvent event) = 0;
};

class MimeParser {
 public:
  // All three must outlive it. `depth`: in so many messages this one is enclosed.
  MimeParser(const MimeConfig& config, MimeHandler& handler, Email& email, unsigned depth = 0);
  ~MimeParser();

  void feed(core::ByteView bytes);
  // The message is over; `complete`: with its proper end.
  void finish(bool complete);

 private:
  enum class State : std::uint8_t { header, body };
  enum class Coding : std::uint8_t { none, base64, quoted_printable };

  void piece(std::string_view text, std::string_view line_end, bool starts, bool ends);
  void measure(std::size_t bytes, bool starts);
  void header_piece(std::string_view text, std::string_view line_end, bool ends);
  void header_line(std::string_view line, std::string_view line_end);
  void close_field();
  void begin_body();
  void begin_leaf(const mime::StructuredValue& type, std::string name, bool file);
  void begin_multipart(std::string boundary);
  void begin_embedded(Coding coding);
  void body_piece(std::string_view text, std::string_view line_end, bool starts);
  void leaf_text(std::string_view text);
  void decoded(core::ByteView bytes);
  bool at_boundary(std::string_view line);
  void end_leaf(bool complete);
  void begin_header();

  const MimeConfig& config_;
  MimeHandler& handler_;
  Email& email_;
  const unsigned depth_;

  // Lines, in pieces of a size that does not depend on how the message was cut.
  std::string pending_;
  bool line_start_ = true;
  std::size_t line_bytes_ = 0;

  State state_ = State::header;
  bool outer_ = true;  // this header is that of the message itself
  bool any_field_ = false;
  bool line_is_body_ = false;  // there is no header: the line just read began the body
  std::string line_;           // of a header, so far
  EmailField field_;
  std::size_t field_bytes_ = 0, header_bytes_ = 0;
  std::string type_, disposition_, coding_text_;

  std::vector<std::string> boundaries_;  // innermost last, without the leading dashes
  bool ignore_ = false;                  // before the first part, behind the last
  bool skip_line_ = false;               // the rest of a boundary line
  bool guess_boundary_ = false;          // a multipart that does not tell it: what its first line is
  Coding coding_ = Coding::none;
  std::string line_end_;  // of the last body line: belongs to a boundary that may follow
  bool leaf_ = false, file_ = false;
  mime::Base64Decoder base64_;
  mime::QuotedPrintableDecoder quoted_;
  std::unique_ptr<mime::UrlFinder> urls_;  // in a leaf of text
  bool sniff_ = false;                     // an encoded message: encoded indeed?
  std::unique_ptr<MimeParser> embedded_;
  std::vector<std::uint8_t> scratch_;
  std::unique_ptr<TransferredFile> body_digest_;
};

}  // namespace gatehouse::ids
