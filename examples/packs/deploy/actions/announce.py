"""Says in one sentence what became of a release; see announce.yaml."""

import json
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, "lib")
from step import step  # noqa: E402


def main():
    p = json.load(sys.stdin)
    with step("announce", p):
        what = {"released": "is live in", "rolled_back": "was taken back from"}[p["outcome"]]
        message = f"Version {p['version']} {what} {', '.join(p['regions'])}."
    print(json.dumps({"message": message}))


if __name__ == "__main__":
    main()
