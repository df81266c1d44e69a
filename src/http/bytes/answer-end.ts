/**
 * The end of an answer, however it comes. Node tells of it by the response alone, and not always: one that was given on a
 * connection which leaves HTTP never closes, nor does one that still waits for its turn when its connection goes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

type HttpSocket = IncomingMessage['socket']

/** What waits for the close of each connection: one listener stands for all that are pipelined on it. */
const waiting = new WeakMap<HttpSocket, Set<() => void>>()

/** Calls `ended` once: when all of the answer was sent, or as soon as none of it can be any more; at once where that is so. */
export function onAnswerEnd({ socket }: IncomingMessage, answer: ServerResponse, ended: () => void): void {
  if (answer.writableFinished || answer.closed || socket.closed) return ended()
  const calls = callsAtClose(socket)
  const end = (): void => {
    answer.off('finish', end)
    answer.off('close', end)
    calls.delete(end)
    ended()
  }
  answer.on('finish', end)
  answer.on('close', end)
  calls.add(end)
}

function callsAtClose(socket: HttpSocket): Set<() => void> {
  const known = waiting.get(socket)
  if (known !== undefined) return known
  const calls = new Set<() => void>()
  waiting.set(socket, calls)
  socket.once('close', () => {
    for (const call of calls) call()
  })
  return calls
}
