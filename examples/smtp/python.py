"""Sends a mail over a lease of a submission server, with nothing but the standard library."""

import json
import os
import urllib.request

URL = os.environ.get("SOCKPOOL_URL", "http://127.0.0.1:7070")
TOKEN = os.environ.get("SOCKPOOL_TOKEN", "")


def call(method, path, body=None, content_type="application/octet-stream"):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type}
    request = urllib.request.Request(URL + path, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read()


def reply(lease, code):
    text = call("POST", f"{lease}/readframe").decode()
    print(text, end="")
    if not text.startswith(code):
        raise ValueError(text)


lease = "/v1/leases/" + json.loads(call("POST", "/v1/leases", b'{"target":"mail"}', "application/json"))["id"]
try:
    call("POST", f"{lease}/write", b"MAIL FROM:<app@example.com>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n")
    reply(lease, "250")
    reply(lease, "250")
    reply(lease, "354")
    call("POST", f"{lease}/write", b"Subject: Lunch\r\n\r\nAt noon?\r\n.\r\n")
    reply(lease, "250")
finally:
    released = json.loads(call("DELETE", lease))
print(released["outcome"], released["reason"])
