import type { Frame } from './frame.ts'
import { Http1Answers } from './http1-answers.ts'
import { Http1Requests } from './http1-requests.ts'

/**
 * HTTP/1.1 and HTTP/1.0, by RFC 9112: what anybody could take for another message than somebody else does is no message.
 *
 * Interim answers (1xx) belong to the message of the final one. An answer is the last of its connection behind
 * `Connection: close`, HTTP/1.0 without keep-alive, a switch to another protocol (101, 2xx to CONNECT), and where it ends
 * with the stream. Requests that ask for such an end or such a switch, or with Expect, are exclusive; `command` is a
 * method that is registered.
 */
export function http1Frame(max: number): Frame {
  return {
    name: 'http1',
    max,
    balances: true,
    answers: () => new Http1Answers(max),
    requests: () => new Http1Requests(max),
  }
}
