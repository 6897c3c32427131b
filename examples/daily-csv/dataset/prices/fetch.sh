set -eu
curl --fail --silent --show-error --location --max-time 60 --output "$PFS/out/prices.csv" "$url"
# A page that says "come back later" is no table.
head -n 1 "$PFS/out/prices.csv" | grep -q "^item,price"
