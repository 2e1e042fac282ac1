"""Looks whether version, regions and template make sense; see check_config.yaml."""

import json
import pathlib
import re
import sys

# The working directory is the pack's. No cache files: a pack may lie on a read-only disk.
sys.dont_write_bytecode = True
sys.path.insert(0, "lib")
from step import step  # noqa: E402


def problems(p):
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?", p["version"]):
        yield f"version: '{p['version']}' is not of the form 1.4.2"
    for region in p["regions"]:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", region):
            yield f"regions: '{region}' is no name in lower case"
    if len(set(p["regions"])) < len(p["regions"]):
        yield "regions: one is named twice"
    if p.get("fail_region") and p["fail_region"] not in p["regions"]:
        yield f"fail_region: '{p['fail_region']}' is none of the regions"
    if "@VERSION@" not in pathlib.Path("files/site.html").read_text(encoding="utf-8"):
        yield "files/site.html: has no @VERSION@ in it"


def main():
    p = json.load(sys.stdin)
    with step("check_config", p):
        found = list(problems(p))
        if found:
            sys.exit("\n".join(found))
    print(json.dumps({"checked": ["version", "regions", "fail_region", "template"]}))


if __name__ == "__main__":
    main()
