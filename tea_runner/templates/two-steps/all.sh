# Input: all counts, below $PFS/counts. Output: one table, below $PFS/out.
set -eu
pfs=${PFS:-/pfs}
cd "$pfs/counts"
for file in *; do
    printf '%s\t%s\n' "${file%.txt}" "$(cat "$file")"
done >"$pfs/out/table.tsv"
