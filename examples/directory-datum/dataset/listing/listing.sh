# One subject's folder in ($subject), the list of its files in $PFS/out/<subject>.txt.
set -eu
out=${PFS:-/pfs}/out/$(basename "$subject").txt
cd "$subject"
find . -type f | LC_ALL=C sort >"$out"
