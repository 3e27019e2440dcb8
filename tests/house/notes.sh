#!/usr/bin/env bash
# Every folder with sources says in NOTES.md what it is for. Exit 1 and the folders that do not.
set -euo pipefail
cd "$1"
missing=0
while read -r folder; do
  [ -f "$folder/NOTES.md" ] && continue
  # A folder may be covered by its parent's notes when those name it; test support is.
  [ "$(basename "$folder")" = testing ] && continue
  grep -qs "$(basename "$folder")/" "$(dirname "$folder")/NOTES.md" && continue
  echo "no NOTES.md covers $folder"
  missing=1
done < <(git ls-files '*.cc' '*.h' | grep -v '^tests/' | xargs -n1 dirname | sort -u)
exit $missing
