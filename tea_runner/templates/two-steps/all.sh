# All counts in (below $PFS/counts), one table in $PFS/out out.
set -eu
pfs=${PFS:-/pfs}
cd "$pfs/counts"
for file in *; do
    printf '%s\t%s\n' "${file%.txt}" "$(cat "$file")"
done >"$pfs/out/table.tsv"
