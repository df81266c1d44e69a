/** An exchange as the form has it, and as the API takes it. */
import { base64OfBytes, bytesOfHex, bytesOfText } from '../parts/byte-text.ts'

export const READS = [
  { kind: 'message', label: 'One message of the target’s frame', asks: null, sample: '' },
  { kind: 'line', label: 'A line', asks: null, sample: '' },
  { kind: 'until', label: 'Up to a separator', asks: 'Separator', sample: ';' },
  { kind: 'exactly', label: 'So many bytes', asks: 'Bytes', sample: '4' },
  { kind: 'frame', label: 'One message of a frame', asks: 'Frame', sample: 'resp' },
  { kind: 'eof', label: 'To the end', asks: null, sample: '' },
  { kind: 'none', label: 'Nothing', asks: null, sample: '' },
] as const

export type ReadKind = (typeof READS)[number]['kind']

export type ExchangeForm = {
  readonly target: string
  readonly encoding: 'text' | 'hex'
  readonly written: string
  readonly read: ReadKind
  /** What the read asks for, where it asks for something. */
  readonly detail: string
  readonly timeoutMs: string
}

export type FormFaults = Readonly<Partial<Record<'target' | 'written' | 'detail' | 'timeoutMs', string>>>

export type ExchangeOrderForm =
  | { readonly kind: 'order'; readonly body: object }
  | { readonly kind: 'faults'; readonly faults: FormFaults }

/** `names`: the targets that are known by name; anything else is an address. */
export function orderOfForm(form: ExchangeForm, names: readonly string[]): ExchangeOrderForm {
  const target = targetOf(form.target.trim(), names)
  const written = form.encoding === 'text' ? bytesOfText(form.written) : bytesOfHex(form.written)
  const timeoutMs = Number(form.timeoutMs)
  const faults: FormFaults = {
    ...(target === null && { target: 'the name of a target, or host:port' }),
    ...(written.kind === 'fault' && { written: written.message }),
    ...detailFault(form),
    ...((!Number.isInteger(timeoutMs) || timeoutMs < 1) && { timeoutMs: 'whole milliseconds, from 1' }),
  }
  if (Object.keys(faults).length > 0 || target === null || written.kind === 'fault')
    return { kind: 'faults', faults }
  const read = readOf(form)
  const write = { base64: base64OfBytes(written.bytes) }
  // A separator may be any bytes, as what is written.
  const more = {
    ...(read !== null && { read }),
    ...(form.read === 'until' && { separatorEncoding: 'base64' }),
  }
  return { kind: 'order', body: { target, write, timeoutMs, ...more } }
}

/** Null for what is no target. */
function targetOf(text: string, names: readonly string[]): string | object | null {
  if (names.includes(text)) return text
  const [, host, port] = /^\[?([^\]\s]+?)\]?:(\d{1,5})$/.exec(text) ?? []
  if (host !== undefined) return { host, port: Number(port) }
  // The service knows better than a list that may be old.
  return text === '' ? null : text
}

function detailFault({ read, detail }: ExchangeForm): FormFaults {
  if (read === 'exactly' && !/^\d{1,15}$/.test(detail.trim())) return { detail: 'a whole number of bytes' }
  if (read === 'until') {
    const separator = bytesOfText(detail)
    if (separator.kind === 'fault') return { detail: separator.message }
    if (separator.bytes.length === 0) return { detail: 'at least one byte' }
  }
  return read === 'frame' && detail.trim() === '' ? { detail: 'the name of a frame' } : {}
}

/** Null for the target's own. */
function readOf({ read, detail }: ExchangeForm): object | null {
  switch (read) {
    case 'message':
      return null
    case 'line':
      return { line: true }
    case 'until': {
      const separator = bytesOfText(detail)
      return separator.kind === 'bytes' ? { until: [base64OfBytes(separator.bytes)] } : null
    }
    case 'exactly':
      return { exactly: Number(detail) }
    case 'frame':
      return { frame: detail.trim() }
    case 'eof':
      return { eof: true }
    case 'none':
      return { none: true }
    default:
      return read satisfies never
  }
}
