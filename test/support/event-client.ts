/** A client of `GET /v1/events`, and the events that nobody has asked for yet. */
import { within } from './service-process.ts'

const EVENT_TIMEOUT_MS = 10_000

export type SeenEvent = {
  readonly id: string | null
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

export class EventClient {
  readonly response: Response
  readonly #client: AbortController
  readonly #texts: AsyncIterator<string> | null
  #text = ''

  constructor(response: Response, client: AbortController) {
    this.response = response
    this.#client = client
    const { body } = response.ok ? response : { body: null }
    this.#texts = body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]() ?? null
  }

  /** The next event, or comment (null). Errors: an Error where the answer is over. */
  async next(): Promise<SeenEvent | null> {
    while (!this.#text.includes('\n\n')) {
      const more = this.#texts?.next() ?? Promise.reject(new Error('no body'))
      const { value, done } = await within(EVENT_TIMEOUT_MS, more, 'no event came')
      if (done === true) throw new Error('the events are over')
      this.#text += value
    }
    const end = this.#text.indexOf('\n\n')
    const record = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 2)
    return parsed(record)
  }

  /** The next event of a kind, those of others dropped; with `matches`, the next that does. */
  async of(kind: string, matches: (data: SeenEvent['data']) => boolean = () => true): Promise<SeenEvent> {
    for (;;) {
      const event = await this.next()
      if (event?.event === kind && matches(event.data)) return event
    }
  }

  /** The code of the problem that was answered. */
  async code(): Promise<string> {
    return ((await this.response.json()) as { code: string }).code
  }

  leave(): void {
    this.#client.abort()
  }
}

export async function followEvents(
  url: string,
  token: string | null,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventClient> {
  const client = new AbortController()
  const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`${url}/v1/events`, {
    headers: { ...authorization, ...headers },
    signal: client.signal,
  })
  return new EventClient(response, client)
}

function parsed(record: string): SeenEvent | null {
  const fields = new Map(
    record.split('\n').map(line => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]),
  )
  const data = fields.get('data')
  if (data === undefined) return null
  return {
    id: fields.get('id') ?? null,
    event: fields.get('event') ?? 'message',
    data: JSON.parse(data) as Record<string, unknown>,
  }
}
