"""Write a file for each item of an RSS feed, named by the item's id."""

import hashlib
import os
import urllib.request
import xml.etree.ElementTree as ET

#: Longest feed, in bytes.
LIMIT = 10_000_000

with urllib.request.urlopen(os.environ["url"], timeout=60) as answer:
    text = answer.read(LIMIT + 1)
if len(text) > LIMIT:
    raise SystemExit(f"the feed has more than {LIMIT} bytes")

for item in ET.fromstring(text).iter("item"):
    fields = [(name, (item.findtext(name) or "").strip()) for name in ("title", "link", "pubDate")]
    identity = item.findtext("guid") or item.findtext("link") or ""
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    path = os.path.join(os.environ["PFS"], "out", f"{name}.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{name}: {value}\n" for name, value in fields)
