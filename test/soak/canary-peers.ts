/**
 * The peers of the canary, a server for each wire: each connection checks that every byte it gets is of the one that has it, in
 * its turn, and stamps every byte it answers.
 */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { servePeers } from './peer-thread.ts'
import { answerText, parseRequest, type Stamp, type StampedRequest } from './stamps.ts'
import { answerBytes, pushBytes, RESET, RESET_ANSWER, RequestCut, WIRES, type WireName } from './wires.ts'

export type CanaryPorts = Readonly<Record<WireName, number>>

export type CanaryPeerReport = {
  readonly connections: number
  readonly requests: number
  /** Connections that are there now, and the most there were. */
  readonly open: number
  readonly openMost: number
  readonly foreign: readonly string[]
  readonly foreignCount: number
}

const FOREIGN_TOLD_MAX = 20
const REQUEST_START = /^(echo|late|split|mute|torn|fin|rst|push) \d+\|(\d+\.|m\.)/

const seen = { connections: 0, requests: 0, open: 0, openMost: 0, foreignCount: 0 }
const foreign: string[] = []

class CanaryPeer {
  readonly #wire: WireName
  readonly #socket: Socket
  readonly #port: number
  readonly #cut: RequestCut
  /** Leases that were here. */
  readonly #past = new Set<number>()
  #last: Stamp | null = null
  /** Answers keep their order where the wire has no ids. */
  #tail: Promise<void> = Promise.resolve()

  constructor(wire: WireName, socket: Socket) {
    this.#wire = wire
    this.#socket = socket
    this.#port = socket.remotePort ?? 0
    this.#cut = new RequestCut(wire)
    seen.connections++
    seen.open++
    seen.openMost = Math.max(seen.openMost, seen.open)
    socket.on('data', (bytes: Buffer) => {
      for (const { text, id } of this.#cut.add(bytes)) this.#received(text, id)
    })
    // A caller may leave within a request, and then the connection serves nobody else.
    socket.on('end', () => socket.end())
    socket.on('error', () => {})
    socket.on('close', () => {
      seen.open--
    })
  }

  #received(text: string, id: number): void {
    if (`${text}\n` === RESET && this.#wire === 'dialog') return this.#say(RESET_ANSWER)
    seen.requests++
    const request = parseRequest(text)
    if (request === null) return this.#wrong('not of one stamp', text)
    const { stamp } = request
    const fault = this.#faultOf(stamp)
    if (fault !== null) return this.#wrong(fault, text)
    this.#last = stamp
    this.#perform(request, id)
  }

  /** A message that is alone may follow anything; a lease has the connection for all its turns. */
  #faultOf({ port, owner, turn }: Stamp): string | null {
    const last = this.#last
    if (port !== null && last?.port === port && last.owner === owner)
      return turn === last.turn + 1 ? null : `turn ${last.turn + 1} was due`
    if (last !== null && last.port !== null) this.#past.add(last.owner)
    if (port === null) return null
    if (port !== this.#port) return `for another connection than ${this.#port}`
    if (this.#past.has(owner)) return 'its lease was over'
    return turn === 0 ? null : 'its first turns are missing'
  }

  #perform(request: StampedRequest, id: number): void {
    const { act, ms } = request
    const answer = answerBytes(this.#wire, answerText(request, this.#port), id)
    const half = answer.subarray(0, answer.length >> 1)
    switch (act) {
      case 'echo':
        return this.#soon(0, () => this.#say(answer))
      case 'late':
        return this.#late(ms, () => this.#say(answer))
      case 'push':
        return this.#soon(0, () => this.#say(Buffer.concat([pushBytes(this.#wire, id), answer])))
      case 'split':
        this.#soon(0, () => this.#say(half))
        return this.#soon(ms, () => this.#say(answer.subarray(half.length)))
      case 'torn':
        return this.#soon(0, () => this.#socket.end(half))
      case 'fin':
        return this.#soon(0, () => this.#socket.end(answer))
      case 'rst':
        return this.#soon(0, () => this.#socket.resetAndDestroy())
      case 'mute':
        // In order, who owes an answer gives no later one.
        if (this.#wire !== 'modbus') this.#tail = new Promise(() => {})
        return
      default:
        act satisfies never
    }
  }

  #soon(ms: number, say: () => void): void {
    this.#tail = ms === 0 ? this.#tail.then(say) : this.#tail.then(() => this.#later(ms, say))
  }

  /** By id an answer may be passed by others, but for the rest of one that has begun. */
  #late(ms: number, say: () => void): void {
    if (this.#wire === 'modbus') void this.#later(ms, () => this.#soon(0, say))
    else this.#soon(ms, say)
  }

  #later(ms: number, say: () => void): Promise<void> {
    return new Promise(resolve => {
      setTimeout(() => {
        say()
        resolve()
      }, ms)
    })
  }

  #say(bytes: Buffer | string): void {
    if (this.#socket.writable) this.#socket.write(bytes)
  }

  #wrong(what: string, text: string): void {
    seen.foreignCount++
    if (foreign.length < FOREIGN_TOLD_MAX) foreign.push(`${this.#wire}: ${what}: ${text.slice(0, 80)}`)
    this.#socket.destroy()
  }

  /** What is left of a request is the beginning of one. */
  checkRest(): void {
    const { rest } = this.#cut
    const [, text = ''] = /^(?:\*2\r\n\$4\r\nECHO\r\n\$\d+\r\n)?([a-z].*)$/s.exec(rest) ?? []
    if (this.#wire !== 'modbus' && text.length > 30 && !REQUEST_START.test(text))
      this.#wrong('no part of a request', text)
  }
}

async function listen(wire: WireName): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    const peer = new CanaryPeer(wire, socket)
    socket.once('close', () => peer.checkRest())
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 })
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

servePeers(async () => {
  const ports = await Promise.all(WIRES.map(async wire => [wire, await listen(wire)] as const))
  return {
    said: Object.fromEntries(ports),
    answer: (): CanaryPeerReport => ({ ...seen, foreign }),
  }
})
