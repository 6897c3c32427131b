# Input: one file, $data. Output: its number of lines, below $PFS/out.
set -eu
find "$data" -type f -exec cat {} + | wc -l | tr -d ' ' >"${PFS:-/pfs}/out/$(basename "$data").txt"
