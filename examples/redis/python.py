"""Sets a key of Redis and gets it: each command is one request, with nothing but the standard library."""

import os
import urllib.request

URL = os.environ.get("SOCKPOOL_URL", "http://127.0.0.1:7070")
TOKEN = os.environ.get("SOCKPOOL_TOKEN", "")


def ask(*words):
    command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{URL}/v1/exchange?target=cache", command, headers)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read()


print(ask(b"SET", b"greeting", b"hello", b"EX", b"60").decode(), end="")
print(ask(b"GET", b"greeting").decode(), end="")
