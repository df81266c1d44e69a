/** Server-sent events as text. */

export type EventText = {
  /** What the client says by Last-Event-ID when it comes again; default: none. */
  readonly id?: number | string
  /** Default: `message`, as every client has it. */
  readonly event?: string
  readonly data: string
}

/** What keeps a quiet stream open, and shows that its client is still there. */
export const COMMENT = ':\n\n'

/** `data` must hold no carriage return. */
export function eventText({ id, event, data }: EventText): string {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`
  const lines = data.includes('\n') ? data.replaceAll('\n', '\ndata: ') : data
  return `${head}data: ${lines}\n\n`
}
