// The EVE object of a file: in its own event and in alerts.
#pragma once

#include "core/json.h"
#include "ids/parsers/file.h"

namespace gatehouse::ids::engine {

struct FileObjectOptions {
  bool magic = false;  // tell the type
  bool over = false;   // nothing more will come: an open file was cut short
};

// Members of `fileinfo`, without the braces.
void write_file_object(core::JsonWriter& json, const TransferredFile& file, const FileObjectOptions& options);

}  // namespace gatehouse::ids::engine
