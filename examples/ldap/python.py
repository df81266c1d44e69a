"""Checks passwords by LDAP binds and prints their results, with nothing but the standard library."""

import os
import urllib.request

URL = os.environ.get("SOCKPOOL_URL", "http://127.0.0.1:7070")
TOKEN = os.environ.get("SOCKPOOL_TOKEN", "")


def exchange(message):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{URL}/v1/exchange?target=directory", message, headers)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return answer.read()


def element(tag, *parts):
    """An element of BER: a tag, the length of what is in it, and that."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 + len(length)]) + length + content


def within(data, place):
    """Where the content of the element at `place` begins and ends."""
    start, length = place + 2, data[place + 1]
    if length >= 0x80:
        start, length = start + length - 0x80, int.from_bytes(data[start : start + length - 0x80], "big")
    return start, start + length


def bind(name, password):
    """The result of the bind: 0 where the password is right, 49 where it is wrong."""
    if password == "":
        raise ValueError("an empty password binds as nobody")
    request = element(0x60, element(2, b"\3"), element(4, name.encode()), element(0x80, password.encode()))
    answer = exchange(element(0x30, element(2, b"\1"), request))
    message, _ = within(answer, 0)
    _, response = within(answer, message)
    result, _ = within(answer, response)
    code, _ = within(answer, result)
    return answer[code]


ADA = "uid=ada,ou=people,dc=example,dc=org"
for password in ["correct horse", "wrong"]:
    print(f"{password}: {bind(ADA, password)}")
