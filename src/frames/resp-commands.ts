/**
 * Which commands of Redis and its kin are not for a connection that others share: those that change it, block it, or are
 * not answered by one message. A command is judged by its first words, as they come.
 */
import type { WordTaker } from './word-line.ts'

const EXCLUSIVE: ReadonlySet<string> = new Set([
  // Their answers are pushes, or a stream, or come after the connection has ended.
  ...['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE', 'MONITOR'],
  ...['SYNC', 'PSYNC', 'REPLCONF', 'QUIT', 'SHUTDOWN', 'FAILOVER'],
  // Redis takes them for HTTP that was smuggled in, and closes.
  ...['POST', 'HOST:'],
  // What follows them means something else.
  ...['MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH', 'SELECT', 'AUTH', 'HELLO', 'RESET'],
  ...['READONLY', 'READWRITE', 'ASKING', 'DEBUG'],
])

/** They wait, and that is all. */
const WAITING: ReadonlySet<string> = new Set([
  ...['BLPOP', 'BRPOP', 'BLMOVE', 'BRPOPLPUSH', 'BLMPOP', 'BZPOPMIN', 'BZPOPMAX', 'BZMPOP'],
  ...['WAIT', 'WAITAOF', 'MIGRATE'],
])

/** Where the second word decides. `isExclusive`: the command, but for these. */
const BY_SUBCOMMAND: ReadonlyMap<string, { readonly isExclusive: boolean; readonly but: readonly string[] }> =
  new Map([
    ['CLIENT', { isExclusive: true, but: ['GETNAME', 'ID', 'INFO', 'LIST', 'SETINFO', 'SETNAME'] }],
    ['SCRIPT', { isExclusive: false, but: ['DEBUG'] }],
  ])

/** They wait where an option says so. */
const BY_BLOCK_OPTION: ReadonlySet<string> = new Set(['XREAD', 'XREADGROUP'])

/** Words behind GROUP, which may be any. */
const GROUP_WORDS = 2

/** What it looks for next. */
type Judging =
  | { readonly kind: 'name' }
  | { readonly kind: 'subcommand'; readonly but: readonly string[] }
  | { readonly kind: 'block'; readonly skip: number }
  | { readonly kind: 'settled' }

/** What follows from the first word alone. */
type NameVerdict = {
  readonly name: string | null
  readonly isExclusive: boolean
  readonly isPassing: boolean
  readonly judging: Judging
}

const NAME = /^[A-Za-z0-9._-]+$/
const [AT_NAME, SETTLED]: readonly [Judging, Judging] = [{ kind: 'name' }, { kind: 'settled' }]

export class RespCommand implements WordTaker {
  #judging: Judging = AT_NAME
  #name: string | null = null
  #isExclusive = false
  #isPassing = false
  /** The first word that was judged last, and what came of it: mostly the next is the same. */
  #knownText: string | null = null
  #known: NameVerdict = verdictOn(null)

  /** In capitals; null where it is none of a command. */
  get name(): string | null {
    return this.#name
  }

  get isExclusive(): boolean {
    return this.#isExclusive
  }

  /** It is exclusive while it waits, and no longer. */
  get isPassing(): boolean {
    return this.#isPassing
  }

  /** Further words change nothing. */
  get isSettled(): boolean {
    return this.#judging === SETTLED
  }

  begin(): void {
    this.#judging = AT_NAME
    this.#name = null
    this.#isExclusive = false
    this.#isPassing = false
  }

  takeWord(text: string | null): void {
    switch (this.#judging.kind) {
      case 'name':
        this.#takeName(text)
        return
      case 'subcommand':
        if (this.#judging.but.includes(capitals(text))) this.#isExclusive = !this.#isExclusive
        this.#judging = SETTLED
        return
      case 'block':
        this.#judging = this.#judgeOption(capitals(text), this.#judging.skip)
        return
      case 'settled':
        return
      default:
        this.#judging satisfies never
    }
  }

  #takeName(text: string | null): void {
    if (text !== this.#knownText) {
      this.#known = verdictOn(text)
      this.#knownText = text
    }
    const { name, isExclusive, isPassing, judging } = this.#known
    this.#name = name
    this.#isExclusive = isExclusive
    this.#isPassing = isPassing
    this.#judging = judging
  }

  #judgeOption(word: string, skip: number): Judging {
    if (skip > 0) return { kind: 'block', skip: skip - 1 }
    if (word === 'GROUP') return { kind: 'block', skip: GROUP_WORDS }
    if (word === 'BLOCK') {
      this.#isExclusive = true
      this.#isPassing = true
    }
    return word === 'BLOCK' || word === 'STREAMS' ? SETTLED : { kind: 'block', skip: 0 }
  }
}

function capitals(text: string | null): string {
  return text?.toUpperCase() ?? ''
}

/** `text`: null where it is longer than a word. */
function verdictOn(text: string | null): NameVerdict {
  const word = capitals(text)
  const name = text !== null && NAME.test(text) ? word : null
  if (BY_BLOCK_OPTION.has(word))
    return { name, isExclusive: false, isPassing: false, judging: { kind: 'block', skip: 0 } }
  const rule = BY_SUBCOMMAND.get(word)
  const isPassing = WAITING.has(word)
  const isExclusive = rule?.isExclusive ?? (isPassing || EXCLUSIVE.has(word))
  return { name, isExclusive, isPassing, judging: rule ? { kind: 'subcommand', but: rule.but } : SETTLED }
}
