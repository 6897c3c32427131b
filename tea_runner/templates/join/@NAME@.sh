# Two files of one subject in ($first, $second), their checksums in $PFS/out out.
set -eu
cksum <"$first" >"${PFS:-/pfs}/out/$PACH_DATUM_first_JOIN_ON.txt"
cksum <"$second" >>"${PFS:-/pfs}/out/$PACH_DATUM_first_JOIN_ON.txt"
