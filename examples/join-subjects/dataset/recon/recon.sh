# A subject's t1 and t2 in ($t1, $t2), a stand-in for a reconstruction in $PFS/out: their checksums.
set -eu
subject=$(basename "$t1" .txt)
for image in "$t1" "$t2"; do
    set -- $(cksum <"$image")
    echo "$1 $2"
done >"${PFS:-/pfs}/out/$subject.txt"
echo "$subject: done"
