set -eu
awk -F, 'NR > 1 { sum += $2; n++ } END { if (n) printf "%.2f\n", sum / n }' "$PFS"/prices/*.csv >"$PFS/out/mean.txt"
