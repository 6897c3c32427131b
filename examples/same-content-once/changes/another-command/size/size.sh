# One subject's folder in, $PFS/out/lines.txt, bytes.txt and words.txt out; which subject it is stays unknown here.
set -eu
pfs=${PFS:-/pfs}
find "$pfs/subject" -type f -exec cat {} + | wc -l | tr -d ' ' >"$pfs/out/lines.txt"
find "$pfs/subject" -type f -exec cat {} + | wc -c | tr -d ' ' >"$pfs/out/bytes.txt"
find "$pfs/subject" -type f -exec cat {} + | wc -w | tr -d ' ' >"$pfs/out/words.txt"
