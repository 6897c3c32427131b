# One file in ($data), its number of lines in $PFS/out out.
set -eu
find "$data" -type f -exec cat {} + | wc -l | tr -d ' ' >"${PFS:-/pfs}/out/$(basename "$data").txt"
