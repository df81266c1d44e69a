"""Plays stream scripts on asyncio.StreamReader and tells what became of each step.

In: one script a line, {"limit": n, "steps": [[kind, ...], ...]}; bytes travel as Latin-1 text.
Out: one line a script, {"records": one a step, "leftover": the bytes at its end}. Where asyncio is known to go
astray the records end there, and "leftover" is null. After each step every task has run as far as it can, so
that a record shows what is settled, what is buffered, and whether the transport is paused.
"""

import asyncio
import json
import sys

# How often the loop turns until a woken task has run to its end or to its next wait.
TURNS = 2


class Transport:
    def __init__(self):
        self.paused = False

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


def text(data):
    return bytes(data).decode("latin-1")


def outcome(task):
    """What a call gave, in words that both sides use."""
    if task.cancelled():
        return ["cancelled"]
    error = task.exception()
    if error is None:
        return ["bytes", text(task.result())]
    if isinstance(error, asyncio.IncompleteReadError):
        return ["incomplete", text(error.partial), error.expected, str(error)]
    if isinstance(error, asyncio.LimitOverrunError):
        return ["overrun", str(error), error.consumed]
    if isinstance(error, (ValueError, RuntimeError)):
        return ["error", str(error)]
    return ["error", type(error).__name__ + ": " + str(error)]


class Player:
    def __init__(self, limit):
        self.reader = asyncio.StreamReader(limit=limit)
        self.transport = Transport()
        self.reader.set_transport(self.transport)
        self.pending = {}

    def call(self, name, argument=None):
        if name == "read":
            return self.reader.read(argument)
        if name == "readexactly":
            return self.reader.readexactly(argument)
        if name == "readline":
            return self.reader.readline()
        separators = [part.encode("latin-1") for part in argument]
        return self.reader.readuntil(separators[0] if len(separators) == 1 else tuple(separators))

    def set_aside(self):
        """Bytes that a waiting read to the end has in its own hands."""
        held = b""
        for _, task in self.pending.values():
            frame = task.get_coro().cr_frame
            if frame is not None and "blocks" in frame.f_locals:
                held += b"".join(frame.f_locals["blocks"])
        return held

    def put_back(self):
        """A read to the end that is cut short loses what it holds; the contract is that it does not."""
        self.reader._buffer[:0] = self.set_aside()

    def searches(self):
        return any(name in ("readuntil", "readline") for name, _ in self.pending.values())

    async def step(self, number, kind, *arguments):
        """Plays one step; False where asyncio is known to go astray from here on."""
        before = len(self.reader._buffer)
        error = None
        if kind == "feed":
            try:
                self.reader.feed_data(arguments[0].encode("latin-1"))
            except AssertionError as failure:
                error = str(failure)
        elif kind == "eof":
            self.reader.feed_eof()
        elif kind == "fail":
            self.put_back()
            self.reader.set_exception(RuntimeError(arguments[0]))
        elif kind == "cancel":
            self.put_back()
            for _, task in self.pending.values():
                task.cancel()
        else:
            waits = list(self.pending)
            searches = self.searches()
            self.pending[number] = (kind, asyncio.ensure_future(self.call(kind, *arguments)))
            await self.turn()
            taken = waits and len(self.reader._buffer) < before
            # A search goes on where it had come to, even if another read has moved the bytes since. A read to the
            # end takes what is there, and loses it when it then finds that another waits.
            if taken and (searches and self.searches() or kind == "read" and arguments[0] < 0):
                return False
        await self.turn()
        settled = [[at, outcome(task)] for at, (_, task) in self.pending.items() if task.done()]
        for at, _ in settled:
            del self.pending[at]
        self.record = {
            "error": error,
            "settled": settled,
            "waiting": len(self.pending),
            "buffered": len(self.set_aside()) + len(self.reader._buffer),
            "atEof": self.reader.at_eof(),
            "exception": None if self.reader.exception() is None else str(self.reader.exception()),
            # After the end nobody feeds, and asyncio no longer cares.
            "paused": self.transport.paused and not self.reader._eof,
        }
        return True

    async def turn(self):
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def leftover(self):
        await self.step(-1, "cancel")
        return text(self.reader._buffer)


async def play(script):
    player = Player(script["limit"])
    records = []
    for number, step in enumerate(script["steps"]):
        if not await player.step(number, *step):
            await player.leftover()
            return {"records": records, "leftover": None}
        records.append(player.record)
    return {"records": records, "leftover": await player.leftover()}


async def main():
    for line in sys.stdin:
        played = await play(json.loads(line))
        sys.stdout.write(json.dumps(played) + "\n")


asyncio.run(main())
