"""One HTTP request with the standard library only; see http_request.yaml for the parameters."""

import base64
import http.client
import json
import signal
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, or not; what is secret stays with the host it was meant for."""

    def __init__(self, follow, secret):
        self.follow = follow
        self.secret = {name.lower() for name in secret} | {"authorization", "cookie"}

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not self.follow:
            return None
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and origin(new.full_url) != origin(req.full_url):
            for name in [n for n in new.headers if n.lower() in self.secret]:
                new.remove_header(name)
        return new


def origin(url):
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def request_of(p):
    """The request, and the names of those of its headers that are secret."""
    url = p["url"]
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise SystemExit("url: only http and https are possible")
    if p.get("query_params"):
        query = urllib.parse.urlencode(p["query_params"], doseq=True)
        head, mark, fragment = url.partition("#")
        url = head + ("&" if "?" in head else "?") + query + mark + fragment
    headers = {name: str(value) for name, value in (p.get("headers") or {}).items()}
    secret = {name: str(value) for name, value in (p.get("secret_headers") or {}).items()}
    if p.get("auth_token") is not None:
        secret["Authorization"] = "Bearer " + p["auth_token"]
    elif p.get("auth_username") is not None:
        pair = p["auth_username"] + ":" + (p.get("auth_password") or "")
        secret["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    body = None
    if p.get("json_body") is not None:
        body = json.dumps(p["json_body"]).encode()
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
    elif p.get("body") is not None:
        body = p["body"].encode()
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "text/plain; charset=utf-8"
    for name, value in [*headers.items(), *secret.items()]:
        # Checked here because the library's own complaint would quote the value.
        if not name or not (name + value).isprintable() or not (name + value).isascii():
            raise SystemExit(f"headers: {name!r} has a character that a header cannot have")
    request = urllib.request.Request(
        url, data=body, headers={**headers, **secret}, method=p.get("method") or "GET"
    )
    return request, secret


def exchange(p):
    request, secret = request_of(p)
    context = ssl.create_default_context()
    if p.get("verify") is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        Redirects(p.get("follow_redirects") is not False, secret),
        urllib.request.HTTPSHandler(context=context),
    )
    limit = p.get("max_body_bytes", 262144)
    started = time.monotonic()
    try:
        answer = opener.open(request)
    except urllib.error.HTTPError as error:  # an answer all the same
        answer = error
    with answer:
        raw = answer.read(limit + 1)
        charset = answer.headers.get_content_charset() or "utf-8"
    elapsed = time.monotonic() - started
    truncated = len(raw) > limit
    try:
        text = raw[:limit].decode(charset, "replace")
    except LookupError:
        text = raw[:limit].decode("utf-8", "replace")
    try:
        parsed = None if truncated else json.loads(text)
    except ValueError:
        parsed = None
    return {
        "status": answer.status,
        "success": 200 <= answer.status < 300,
        "headers": {name.lower(): value for name, value in answer.headers.items()},
        "body": text,
        "json": parsed,
        "url": answer.url,
        "elapsed_ms": round(elapsed * 1000),
        "truncated": truncated,
    }


def out_of_time(_signal, _frame):
    raise TimeoutError("no complete answer in time")


def main():
    p = json.load(sys.stdin)
    # Without the query: it may hold what nobody should read in a log.
    what = f"{p.get('method') or 'GET'} {p['url'].partition('?')[0]}"
    # A socket's own timeout starts anew with every packet; the alarm bounds the whole exchange.
    signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, p.get("timeout") or 30)
    try:
        result = exchange(p)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        print(f"{what}: {reason}", file=sys.stderr)
        return 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    json.dump(result, sys.stdout)
    if p.get("raise_for_status") and result["status"] >= 400:
        print(f"{what}: answered {result['status']}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
