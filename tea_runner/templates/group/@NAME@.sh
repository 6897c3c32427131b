# Input: all runs of one subject, below $PFS/runs. Output: one file, below $PFS/out.
set -eu
pfs=${PFS:-/pfs}
find "$pfs/runs" -type f | LC_ALL=C sort | while read -r run; do
    cat "$run"
done >"$pfs/out/$PACH_DATUM_runs_GROUP_BY.txt"
