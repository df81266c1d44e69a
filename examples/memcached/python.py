"""Sets a key of memcached and gets it: each command is one request, with nothing but the standard library."""

import os
import urllib.request

URL = os.environ.get("SOCKPOOL_URL", "http://127.0.0.1:7070")
TOKEN = os.environ.get("SOCKPOOL_TOKEN", "")


def ask(command):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{URL}/v1/exchange?target=memo", command, headers)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read()


value = b"hello"
print(ask(b"set greeting 0 60 %d\r\n%s\r\n" % (len(value), value)).decode(), end="")
print(ask(b"get greeting\r\n").decode(), end="")
