"""Looks whether a region serves the version that was built; see smoke.yaml."""

import hashlib
import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, "lib")
from step import step  # noqa: E402


def main():
    p = json.load(sys.stdin)
    with step(f"smoke:{p['region']}", p):
        current = pathlib.Path(p["target"], "regions", p["region"], "current")
        try:
            version = os.readlink(current)
            page = (current / "index.html").read_bytes()
        except OSError as error:
            sys.exit(f"{p['region']}: {error}")
        if version != p["version"]:
            sys.exit(f"{p['region']}: serves {version}, not {p['version']}")
        found = hashlib.sha256(page).hexdigest()
        if found != p["sha256"]:
            sys.exit(f"{p['region']}: the page is {found}, but {p['sha256']} was built")
    print(json.dumps({"region": p["region"], "version": version, "bytes": len(page)}))


if __name__ == "__main__":
    main()
