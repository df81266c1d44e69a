/** What a call on an end came to, as plain data that crosses threads. No test code: attached threads use it too. */
export type Outcome = {
  readonly call: string
  readonly ok: boolean
  /** The code of the error, its name where it has none; empty where the call was served. */
  readonly code: string
  /** The code of what caused the error, for streams that have codes of their own. */
  readonly cause: string
  /** What the call gave, or the message of its error. */
  readonly text: string
}

/** Bytes of a value that an outcome shows at the most. */
const TEXT_MAX = 200

export async function tried(call: string, run: () => unknown): Promise<Outcome> {
  try {
    return served(call, await run())
  } catch (error) {
    return failed(call, error)
  }
}

export function triedSync(call: string, run: () => unknown): Outcome {
  try {
    return served(call, run())
  } catch (error) {
    return failed(call, error)
  }
}

function served(call: string, value: unknown): Outcome {
  return { call, ok: true, code: '', cause: '', text: textOf(value).slice(0, TEXT_MAX) }
}

function failed(call: string, error: unknown): Outcome {
  const text = error instanceof Error ? error.message : String(error)
  const { cause } = error as { readonly cause?: unknown }
  return { call, ok: false, code: codeOf(error), cause: codeOf(cause), text }
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown }
  return typeof code === 'string' ? code : String(name)
}

function textOf(value: unknown): string {
  if (value === undefined) return ''
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  return typeof value === 'object' && value !== null ? JSON.stringify(value, bytesAsText) : String(value)
}

function bytesAsText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
}

export function describe({ call, ok, code, cause, text }: Outcome): string {
  if (ok) return `${call} was served: ${JSON.stringify(text)}`
  return `${call} failed with ${code}${cause === '' ? '' : ` (by ${cause})`}: ${text}`
}
