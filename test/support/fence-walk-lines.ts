/**
 * The lines that leases of the walk write: each says what the peer is to do, whose it is and which of the lease's lines, and
 * on which connection its lease has it. So the peer of a connection knows every byte that is not its lease's.
 *
 *   KIND TENANT.LEASE SEQUENCE PORT [filler]\n
 */
export const LINE_KINDS = [
  /** Is answered by `=TENANT.LEASE SEQUENCE\n`. */
  'echo',
  'mute',
  /** The peer takes nothing out of the kernel for a while. */
  'deaf',
  'fin',
  'rst',
  /** The peer sends a half of a JSON value, the rest of it, a single byte. */
  'half',
  'rest',
  'byte',
  /** A handshake follows, which the peer does not answer. */
  'tls',
] as const
export type LineKind = (typeof LINE_KINDS)[number]

export type Line = {
  readonly kind: LineKind
  readonly tenant: string
  readonly lease: string
  readonly sequence: number
  readonly port: number
}

/** What the peer sends when it gets the line. */
export function answerTo(line: Line): string {
  switch (line.kind) {
    case 'echo':
      return `=${line.tenant}.${line.lease} ${line.sequence}\n`
    case 'half':
      return '[1'
    case 'rest':
      return ',2]\n'
    case 'byte':
      return 'A'
    case 'mute':
    case 'deaf':
    case 'fin':
    case 'rst':
    case 'tls':
      return ''
    default:
      return line.kind satisfies never
  }
}

/** Without its newline. */
export function lineText({ kind, tenant, lease, sequence, port }: Line): string {
  return `${kind} ${tenant}.${lease} ${sequence} ${port} `
}

const SHAPE = /^([a-z]+) (\w+)\.([\w-]+) (\d+) (\d+) a*$/

/** Null where it is no line of the walk's. */
export function parseLine(text: string): Line | null {
  const [, kind = '', tenant = '', lease = '', sequence, port] = SHAPE.exec(text) ?? []
  if (!(LINE_KINDS as readonly string[]).includes(kind)) return null
  return { kind: kind as LineKind, tenant, lease, sequence: Number(sequence), port: Number(port) }
}
