set -eu
awk '{ sum += $2 } END { print sum }' "$PFS"/raw/*.txt >"$PFS/out/total.txt"
