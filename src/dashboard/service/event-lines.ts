/** Server-sent events out of the text as it comes, in pieces that end anywhere. */

export type ServiceEvent = {
  /** `lease`, `release`, …; `end` and `dropped` beside what the pool tells. */
  readonly kind: string
  readonly id: string | null
  readonly target: string | null
  readonly reason: string | null
  readonly ms: number | null
  readonly worker: number | null
  /** Of `dropped`. */
  readonly count: number
}

/** Characters of an event that is not whole: those of the service have some hundred, and more is no event. */
const EVENT_CHARS_MAX = 65_536

export class EventLines {
  #rest = ''

  /** The events that are whole with this piece. */
  feed(text: string): ServiceEvent[] {
    const parts = (this.#rest + text).split('\n\n')
    const rest = parts.pop() ?? ''
    this.#rest = rest.length > EVENT_CHARS_MAX ? '' : rest
    return parts.flatMap(part => eventOf(part) ?? [])
  }
}

/** Null for a comment, and for what cannot be read. */
function eventOf(text: string): ServiceEvent | null {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
  }
  const data = recordOf(fields.get('data'))
  if (data === null) return null
  return {
    kind: fields.get('event') ?? 'message',
    id: fields.get('id') ?? null,
    target: stringOf(data['target']),
    reason: stringOf(data['reason']),
    ms: numberOf(data['ms']),
    worker: numberOf(data['worker']),
    count: numberOf(data['count']) ?? 0,
  }
}

function recordOf(text: string | undefined): Readonly<Record<string, unknown>> | null {
  if (text === undefined) return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function stringOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}
