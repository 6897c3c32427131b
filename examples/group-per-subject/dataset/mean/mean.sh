# All runs of one subject below $PFS/runs in, their mean in $PFS/out/<subject>.txt.
set -eu
pfs=${PFS:-/pfs}
subject=$PACH_DATUM_runs_GROUP_BY
find "$pfs/runs" -type f -exec cat {} + |
    awk '{ sum += $1; n += 1 } END { printf "%.2f over %d\n", sum / n, n }' >"$pfs/out/$subject.txt"
