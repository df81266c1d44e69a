/**
 * What the two sides of the canary say. Every byte is part of a stamp, or is known from one, so that whoever gets a byte knows
 * whose it is:
 *
 *   request  `ACT MS|` and stamps `PORT.LEASE.TURN;` on a lease, `m.MESSAGE.0;` where the caller does not know its connection
 *   answer   the same stamps, `PORT` filled in by the peer: the port that it is connected to
 */

/** What the peer is to do with a request; `late` and `split` wait for MS in between, `fin` and `rst` answer before they end. */
export const ACTS = ['echo', 'late', 'split', 'mute', 'torn', 'fin', 'rst', 'push'] as const
export type Act = (typeof ACTS)[number]

/** Whose a request is: `owner` is a lease, or a message that is alone. */
export type Stamp = { readonly port: number | null; readonly owner: number; readonly turn: number }

export type StampedRequest = {
  readonly act: Act
  readonly ms: number
  readonly stamp: Stamp
  readonly times: number
}

export function requestText({ act, ms, stamp, times }: StampedRequest): string {
  return `${act} ${ms}|${stampText(stamp, stamp.port).repeat(times)}`
}

/** The answer of the peer whose connection comes from this port. */
export function answerText({ stamp, times }: StampedRequest, port: number): string {
  return stampText(stamp, port).repeat(times)
}

/** The port that a whole answer to a message that is alone comes from; null where a byte of it is not of that answer. */
export function portOfAnswer(request: StampedRequest, answer: string): number | null {
  const port = Number(answer.slice(0, Math.max(0, answer.indexOf('.'))))
  return answer === answerText(request, port) ? port : null
}

/** Null where it is not wholly of one stamp. */
export function parseRequest(text: string): StampedRequest | null {
  const [, act, ms, port, owner, turn] = /^([a-z]+) (\d+)\|(m|\d+)\.(\d+)\.(\d+);/.exec(text) ?? []
  if (!isAct(act)) return null
  const stamp = { port: port === 'm' ? null : Number(port), owner: Number(owner), turn: Number(turn) }
  const length = stampText(stamp, stamp.port).length
  const times = (text.length - text.indexOf('|') - 1) / length
  const request = { act, ms: Number(ms), stamp, times }
  return Number.isInteger(times) && requestText(request) === text ? request : null
}

function isAct(text: string | undefined): text is Act {
  return ACTS.some(act => act === text)
}

function stampText({ owner, turn }: Stamp, port: number | null): string {
  return `${port ?? 'm'}.${owner}.${turn};`
}
