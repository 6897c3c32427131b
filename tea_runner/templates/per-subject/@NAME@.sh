# One subject's folder in ($subject), the number of its files in $PFS/out/files.txt out.
# Which subject it is stays unknown here: the system puts the results where they belong.
set -eu
find "$subject" -type f | wc -l | tr -d ' ' >"${PFS:-/pfs}/out/files.txt"
