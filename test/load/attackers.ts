/**
 * Everybody who would stop the service, at once, in a process of their own: each works for as long as it is asked to,
 * and counts what it was answered.
 */
import { connect, type Socket } from 'node:net'
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** What this process is asked. Its answer is a line for each attacker. */
export type AttackOrder = {
  readonly port: number
  readonly forMs: number
  /** The one attacker who is to work, by name. Default: all. */
  readonly only?: string
}

const MIB = 1_048_576
/** Connections that keep the probe's route open: more than the service may have descriptors. */
const PROBERS = 1_100
/** Connections on which nobody reads the answers. */
const DEAF = 40
/** Exchanges that one tenant keeps going on a target of ten connections. */
const HOGS = 25
/** Live parses of a peer that has sent half a message. */
const DRIPS = 8

const REFUSED = `[${'{},'.repeat((16 * MIB) / 3 - 10)}{}]`
const PIECES = JSON.stringify(Array.from({ length: 200_000 }, () => 'abcd'))
const OBJECTS = `[${'{},'.repeat(MIB / 3 - 10)}{}]`
const LONG_TEXT = `"${'a'.repeat(8 * MIB)}"`

type Attack = { readonly name: string; readonly run: (until: Until) => Promise<void> }
type Until = { readonly isOver: () => boolean; readonly count: (what: string) => void }

class Attacks {
  readonly #port: number
  readonly #sockets = new Set<Socket>()

  constructor(port: number) {
    this.#port = port
  }

  readonly all: readonly Attack[] = [
    { name: 'refused bodies', run: until => this.#repeat(until, 2, () => this.#refusedBody()) },
    { name: 'many pieces', run: until => this.#repeat(until, 1, () => this.#manyPieces()) },
    { name: 'parses', run: until => this.#repeat(until, 2, () => this.#parse()) },
    { name: 'drips', run: until => this.#repeat(until, DRIPS, () => this.#drip()) },
    { name: 'unread answers', run: until => this.#keepOpen(until, DEAF, () => this.#deaf()) },
    { name: 'probers', run: until => this.#keepOpen(until, PROBERS, () => this.#prober()) },
    { name: 'hogs', run: until => this.#repeat(until, HOGS, () => this.#exchange('hog', 'shared', 5_000)) },
    {
      name: 'beside the hogs',
      run: until => this.#repeat(until, 1, () => this.#exchange('small', 'shared', 5_000)),
    },
    {
      name: 'dead place first',
      run: until => this.#repeat(until, 2, () => this.#exchange('names', 'half-dead', 5_000)),
    },
    {
      name: 'dead names',
      run: until => this.#repeat(until, 4, () => this.#exchange('names', 'dead-name', 2_000)),
    },
  ]

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #repeat(until: Until, side: number, attack: () => Promise<string>): Promise<void> {
    const one = async (): Promise<void> => {
      while (!until.isOver()) {
        const answer = await attack()
        until.count(answer)
        if (answer === '0') await sleep(20)
      }
    }
    await Promise.all(Array.from({ length: side }, one))
  }

  /** Opens so many connections, and another one for each that is closed. */
  async #keepOpen(until: Until, side: number, open: () => Socket): Promise<void> {
    const sockets = new Set<Socket>()
    while (!until.isOver()) {
      while (sockets.size < side && !until.isOver()) {
        const socket = open()
        sockets.add(socket)
        socket.once('connect', () => until.count('opened'))
        socket.once('close', () => sockets.delete(socket))
        if (sockets.size % 50 === 0) await sleep(10)
      }
      await sleep(50)
    }
    for (const socket of sockets) socket.destroy()
  }

  #refusedBody(): Promise<string> {
    return this.#ask('evil', 'POST', '/v1/exchange', 'application/json', REFUSED)
  }

  async #manyPieces(): Promise<string> {
    const lease = await this.#lease('evil', 'sink')
    if (lease === null) return '0'
    const status = await this.#ask(
      'evil',
      'POST',
      `/v1/leases/${lease}/writelines`,
      'application/json',
      PIECES,
    )
    await this.#ask('evil', 'DELETE', `/v1/leases/${lease}?discard=true`, '', '')
    return status
  }

  #parse(): Promise<string> {
    return this.#ask('parser', 'POST', '/v1/parse/json', 'application/octet-stream', OBJECTS)
  }

  async #drip(): Promise<string> {
    const lease = await this.#lease('dripper', 'half')
    if (lease === null) return '0'
    const body = JSON.stringify({ format: 'json', timeoutMs: 3_000 })
    const status = await this.#ask('dripper', 'POST', `/v1/leases/${lease}/parse`, 'application/json', body)
    await this.#ask('dripper', 'DELETE', `/v1/leases/${lease}?discard=true`, '', '')
    return status
  }

  #exchange(token: string, target: string, timeoutMs: number): Promise<string> {
    const path = `/v1/exchange?target=${target}&read=line&timeoutMs=${timeoutMs}`
    return this.#ask(token, 'POST', path, 'application/octet-stream', 'x\n')
  }

  /** Asks for an answer of 8 MiB, and never reads. */
  #deaf(): Socket {
    const socket = this.#open()
    socket.pause()
    socket.write(this.#head('deaf', 'POST', '/v1/parse/json', 'application/octet-stream', LONG_TEXT))
    socket.write(LONG_TEXT)
    return socket
  }

  #prober(): Socket {
    const socket = this.#open()
    socket.resume()
    socket.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    return socket
  }

  async #lease(token: string, target: string): Promise<string | null> {
    const text = await this.#text(token, 'POST', '/v1/leases', 'application/json', JSON.stringify({ target }))
    return /"id":"([^"]+)"/.exec(text)?.[1] ?? null
  }

  async #ask(...call: [string, string, string, string, string]): Promise<string> {
    return /^HTTP\/1\.1 (\d+)/.exec(await this.#text(...call))?.[1] ?? '0'
  }

  /** One request on a connection of its own: the whole answer, or what came of it. */
  #text(token: string, method: string, path: string, type: string, body: string): Promise<string> {
    return new Promise(resolve => {
      const socket = this.#open()
      let text = ''
      socket.setEncoding('latin1')
      socket.on('data', (chunk: string) => {
        if (text.length < 4_096) text += chunk
      })
      socket.once('close', () => resolve(text))
      socket.write(this.#head(token, method, path, type, body, 'close'))
      socket.write(body)
    })
  }

  #head(
    token: string,
    method: string,
    path: string,
    type: string,
    body: string,
    connection = 'keep-alive',
  ): string {
    const headers = [
      `${method} ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${this.#port}`,
      `Authorization: Bearer ${token}`,
      `Connection: ${connection}`,
      ...(type === '' ? [] : [`Content-Type: ${type}`, `Content-Length: ${Buffer.byteLength(body)}`]),
    ]
    return `${headers.join('\r\n')}\r\n\r\n`
  }

  #open(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port })
    this.#sockets.add(socket)
    // A connection that is refused or cut is an answer too: `close` tells of it.
    socket.on('error', () => {})
    socket.once('close', () => this.#sockets.delete(socket))
    return socket
  }
}

async function attack({ port, forMs, only }: AttackOrder): Promise<readonly string[]> {
  const attacks = new Attacks(port)
  const untilMs = performance.now() + forMs
  const chosen = attacks.all.filter(({ name }) => only === undefined || name === only)
  const lines = chosen.map(async ({ name, run }) => {
    const counts = new Map<string, number>()
    const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)
    await run({ isOver: () => performance.now() > untilMs, count })
    return `${name}: ${[...counts].map(([what, times]) => `${times} × ${what}`).join(', ')}`
  })
  // What still waits for an answer is over with its connection.
  const cut = setTimeout(() => attacks.close(), forMs + 6_000)
  try {
    return await Promise.all(lines)
  } finally {
    clearTimeout(cut)
    attacks.close()
  }
}

// They stand for other machines: the service has this one's processors first.
setPriority(10)
process.on('message', (order: AttackOrder) => {
  void attack(order).then(lines => process.send?.(lines))
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
