/** As LeaseEnds, for a lease that is held over HTTP: all that its holder has is its id, and the bodies it sends. */
import type { Answer, HeldLease, Call as RequestParts } from './api.ts'
import {
  CALL_TIMEOUT_MS,
  type Call,
  type Deed,
  floodOf,
  INJECTED,
  inTurn,
  type NearEnds,
  type OwnEnding,
  TTL_MS,
} from './fence-ends.ts'
import { type Outcome, tried } from './fence-outcome.ts'

const query = `timeoutMs=${CALL_TIMEOUT_MS}`
/** The most that a call may ask for. */
const REST_LONG_MS = 30_000
const longQuery = `timeoutMs=${REST_LONG_MS}`

/** A body of which the caller has sent a part, and may send more. */
class OpenBody {
  readonly stream: ReadableStream<Uint8Array>
  readonly #controller = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>()

  constructor(first: Uint8Array) {
    this.stream = new ReadableStream({
      start: controller => {
        controller.enqueue(first)
        this.#controller.resolve(controller)
      },
    })
  }

  /** Sends the rest, where anybody still takes it. */
  async finish(rest: string): Promise<void> {
    const controller = await this.#controller.promise
    try {
      controller.enqueue(Buffer.from(rest))
      controller.close()
    } catch (error) {
      // The answer came before the end of the body, and the client has let go of it.
      if (!(error instanceof TypeError)) throw error
    }
  }
}

type Upload = { readonly body: OpenBody; readonly answered: Promise<string> }

export class RestEnds implements NearEnds {
  readonly #lease: HeldLease
  readonly #expired: () => Promise<unknown>
  readonly #waiting: Promise<Outcome>[] = []
  #upload: Upload | null = null

  /** `expired` resolves when the lease has ended by itself. */
  constructor(lease: HeldLease, expired: () => Promise<unknown>) {
    this.#lease = lease
    this.#expired = expired
  }

  async say(line: string): Promise<void> {
    await bytesOf(this.#lease.call('write', { body: line }))
  }

  async greet(line: string): Promise<string> {
    await this.say(line)
    return await bytesOf(this.#lease.call(`readline?${longQuery}`))
  }

  async begin(deed: Deed): Promise<void> {
    switch (deed.do) {
      case 'read':
        return this.#await('readline', `readline?${longQuery}`)
      case 'parse':
        return this.#await('parse', 'parse', { json: { format: 'json', timeoutMs: REST_LONG_MS } })
      case 'startTls':
        return this.#await('start_tls', `start_tls?${longQuery}`, { json: {} })
      case 'upload':
        return this.#begin(deed.line)
      case 'flood':
        return this.#begin(floodOf(deed))
      case 'run':
        throw new Error('nobody runs modules over HTTP')
      default:
        deed satisfies never
    }
  }

  async end(how: OwnEnding): Promise<string> {
    if (how === 'ttl') {
      await this.#lease.renew(TTL_MS)
      await this.#expired()
      return 'expired'
    }
    const answer = await this.#lease.release(how === 'discard' ? '?discard=true' : '')
    return (JSON.parse(answer.text) as { outcome: string }).outcome
  }

  /** An upload hears of the end when it goes on; that is asked of `use`. */
  waited(): Promise<readonly Outcome[]> {
    return Promise.all(this.#waiting)
  }

  async use(): Promise<readonly Outcome[]> {
    return await inTurn(this.calls())
  }

  /** What it uploads goes on first. */
  calls(): readonly Call[] {
    const upload = this.#upload
    const body = `${INJECTED}\n`
    const requests: readonly (readonly [string, RequestParts?])[] = [
      [`write?${query}`, { body }],
      [`writelines?${query}`, { json: [body, body] }],
      [`drain?${query}`],
      [`read?n=10&${query}`],
      [`readline?${query}`],
      [`readexactly?n=1&${query}`],
      [`readuntil?separator=;&${query}`],
      ['parse', { json: { format: 'json', timeoutMs: CALL_TIMEOUT_MS } }],
      [`start_tls?${query}`, { json: {} }],
      ['write_eof'],
      [`wait_closed?${query}`],
      ['close'],
      [`write?${query}`, { body }],
    ]
    return [
      ...(upload === null ? [] : [['upload', () => finishUpload(upload)] as const]),
      ...requests.map(
        ([path, parts]) => [nameOf(path), () => bytesOf(this.#lease.call(path, parts))] as const,
      ),
      ['PATCH', () => bytesOf(this.#lease.renew(1_000))],
      ['GET', () => bytesOf(this.#lease.look())],
    ]
  }

  #begin(first: string | Uint8Array): void {
    const body = new OpenBody(Buffer.from(first))
    const answered = bytesOf(this.#lease.call(`write?${longQuery}`, { body: body.stream }))
    answered.catch(() => 'whoever finishes the upload hears of it')
    this.#upload = { body, answered }
  }

  #await(name: string, path: string, parts?: RequestParts): void {
    this.#waiting.push(tried(name, () => bytesOf(this.#lease.call(path, parts))))
  }
}

async function finishUpload({ body, answered }: Upload): Promise<string> {
  await body.finish(`${INJECTED}\n`)
  return await answered
}

function nameOf(path: string): string {
  return path.split('?')[0] ?? path
}

/** The body of an answer. A problem is thrown as the library would throw it. */
async function bytesOf(answering: Promise<Answer>): Promise<string> {
  const { status, text } = await answering
  if (status < 400) return text
  const { code, detail } = JSON.parse(text) as { readonly code: string; readonly detail: string }
  throw Object.assign(new Error(`${status} ${detail}`), { code: code.toUpperCase() })
}
