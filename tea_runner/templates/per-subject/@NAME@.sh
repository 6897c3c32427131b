# Input: the folder of one subject, $subject. Output: its number of files, $PFS/out/files.txt.
# output.path in spec.yml adds the name of the subject to the path of the results.
set -eu
find "$subject" -type f | wc -l | tr -d ' ' >"${PFS:-/pfs}/out/files.txt"
