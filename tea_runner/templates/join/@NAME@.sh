# Input: two files of one subject, $first and $second. Output: their checksums, below $PFS/out.
set -eu
cksum <"$first" >"${PFS:-/pfs}/out/$PACH_DATUM_first_JOIN_ON.txt"
cksum <"$second" >>"${PFS:-/pfs}/out/$PACH_DATUM_first_JOIN_ON.txt"
