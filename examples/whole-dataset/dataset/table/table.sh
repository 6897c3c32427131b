# All files below $PFS/raw in, one table of them in $PFS/out/table.tsv.
set -eu
pfs=${PFS:-/pfs}
{
    printf 'subject\tage\n'
    for file in "$pfs"/raw/sub-*.txt; do
        printf '%s\t%s\n' "$(basename "$file" .txt)" "$(sed -n 's/^age=//p' "$file")"
    done
} >"$pfs/out/table.tsv"
