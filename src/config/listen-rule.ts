/**
 * Where listeners may bind, `HOST:PORTS`: HOST is an IP address or a name as it is asked for, PORTS is one port, a range
 * `8000-8999`, `*` for all of them, or 0 for one that the system picks.
 */
import { parseHostText } from './address.ts'

export type ListenRule = {
  readonly host: string
  /** Both ends belong to it. 0 stands for itself alone. */
  readonly firstPort: number
  readonly lastPort: number
}

const PORT_MAX = 65_535
const RULE = /^(\[[^\]]*\]|[^:]+):(?:(\*)|(\d{1,5})(?:-(\d{1,5}))?)$/

/** Null where the value is no such rule. */
export function parseListenRule(value: unknown): ListenRule | null {
  const [, text, all, first, last] = (typeof value === 'string' && RULE.exec(value)) || []
  const host = parseHostText(text)
  if (host === null) return null
  if (all !== undefined) return { host, firstPort: 0, lastPort: PORT_MAX }
  const [firstPort, lastPort] = [Number(first), Number(last ?? first)]
  // A range that begins at 0 would say of the port that the system picks what is meant of others.
  const isRange = last !== undefined
  if ((isRange && firstPort === 0) || firstPort > lastPort || lastPort > PORT_MAX) return null
  return { host, firstPort, lastPort }
}
