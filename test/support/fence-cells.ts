/**
 * The alphabet of the fence: which ends of a lease there are, how a lease may end, and in what moment. A cell is one of
 * each. `impossible` says of a cell that cannot exist why it cannot.
 */
export const ENDS = [
  'local',
  'kept',
  'lent to parse',
  'lent to run',
  'attached',
  'attached blocking',
  'duplex',
  'web',
  'REST',
] as const
export type EndName = (typeof ENDS)[number]

export const ENDINGS = [
  'release',
  'discard',
  'dispose',
  'kill',
  'ttl',
  'pool.close',
  'attached close',
  'FIN',
  'RST',
  'worker lost',
  'borrower returned',
  'borrower hung',
  'borrower dead',
  'holder dead',
  // What a reload does to the leases of a token that it revokes: it kills them. No reload exists that could be asked.
  'token revoked',
] as const
export type EndingName = (typeof ENDINGS)[number]

export const MOMENTS = ['idle', 'reading', 'overfull', 'lent', 'uploading', 'upgrading'] as const
export type MomentName = (typeof MOMENTS)[number]

export type Cell = { readonly end: EndName; readonly moment: MomentName; readonly ending: EndingName }

export function nameOf({ end, moment, ending }: Cell): string {
  return `${end} × ${moment} × ${ending}`
}

export const CELLS: readonly Cell[] = ENDS.flatMap(end =>
  MOMENTS.flatMap(moment => ENDINGS.map(ending => ({ end, moment, ending }))),
)

export function cellsOf(end: EndName): readonly Cell[] {
  return CELLS.filter(cell => cell.end === end && impossible(cell) === null)
}

/** How many cells there are of each reason not to exist. */
export function impossibleByReason(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const cell of CELLS) {
    const why = impossible(cell)
    if (why !== null) counts.set(why, (counts.get(why) ?? 0) + 1)
  }
  return counts
}

const isLoan = (end: EndName): boolean => end === 'lent to parse' || end === 'lent to run'
const isAttached = (end: EndName): boolean => end === 'attached' || end === 'attached blocking'
const isStream = (end: EndName): boolean => end === 'duplex' || end === 'web'

/** Why the cell cannot exist, or null where it can. */
export function impossible(cell: Cell): string | null {
  return impossibleMoment(cell) ?? impossibleEnding(cell)
}

function impossibleMoment({ end, moment }: Cell): string | null {
  if (isLoan(end)) {
    if (moment === 'idle') return 'an end that is lent is never idle: its borrower has it'
    if (moment === 'upgrading')
      return 'startTls() refuses a reader that is lent (READ_BUSY), and a loan one that upgrades'
  }
  if (moment === 'lent') {
    if (end === 'local' || end === 'kept')
      return 'a local end that is lent has rows of its own: lent to parse, lent to run'
    if (end === 'attached blocking')
      return 'a blocking lease has neither parse nor run: its thread may block by itself'
  }
  if (isStream(end) && (moment === 'lent' || moment === 'upgrading'))
    return 'reader and writer belong to the stream: nobody lends the one or upgrades the other'
  if (moment === 'uploading' && end !== 'REST') return 'only a REST caller uploads'
  return null
}

function impossibleEnding({ end, moment, ending }: Cell): string | null {
  switch (ending) {
    case 'release':
    case 'discard':
    case 'dispose':
      if (ending === 'dispose' && end === 'REST') return 'a REST caller has nothing to dispose of'
      return blocksItself(end, moment)
    case 'kill':
      return end === 'attached blocking'
        ? 'a blocking lease is killed by its pool alone, which is the row pool.close'
        : null
    case 'ttl':
      return impossibleExpiry(end, moment)
    case 'attached close':
      if (!isAttached(end)) return 'the end is not on an attached thread'
      return blocksItself(end, moment)
    case 'holder dead':
      return isAttached(end) ? null : 'the end lives on the thread of the pool, which dies with it'
    case 'borrower returned':
    case 'borrower hung':
    case 'borrower dead':
      return impossibleBorrower(end, moment, ending)
    case 'token revoked':
      return end === 'REST' ? null : 'a lease of the library has no token'
    case 'pool.close':
    case 'FIN':
    case 'RST':
    case 'worker lost':
      return null
    default:
      return ending satisfies never
  }
}

function blocksItself(end: EndName, moment: MomentName): string | null {
  return end === 'attached blocking' && moment !== 'idle'
    ? 'a thread that blocks in one call makes no other'
    : null
}

function impossibleExpiry(end: EndName, moment: MomentName): string | null {
  if (isStream(end)) return 'a lease does not expire while a stream of its is open'
  if (moment === 'idle') return null
  if (moment === 'overfull' && (end === 'local' || end === 'kept' || end === 'attached')) return null
  return 'a lease does not expire while a call of its waits'
}

function impossibleBorrower(end: EndName, moment: MomentName, ending: EndingName): string | null {
  const isLent = moment === 'lent' || (isLoan(end) && moment === 'overfull')
  if (!isLent) return 'nobody has borrowed the end'
  if (ending !== 'borrower returned' && (end === 'lent to parse' || end === 'REST'))
    return 'a parse runs no code of its caller that could hang or end its thread'
  return null
}
