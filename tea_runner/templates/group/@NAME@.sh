# All runs of one subject in (below $PFS/runs), one file in $PFS/out out.
set -eu
pfs=${PFS:-/pfs}
find "$pfs/runs" -type f | LC_ALL=C sort | while read -r run; do
    cat "$run"
done >"$pfs/out/$PACH_DATUM_runs_GROUP_BY.txt"
