/** Colours, where the output is a terminal that has them. */
import type { Writable } from 'node:stream'
import { styleText } from 'node:util'

export type Tone = 'good' | 'warning' | 'bad' | 'faint' | 'strong'

/** The text in that tone; as it is where there are no colours, or no tone. */
export type Paint = (text: string, tone: Tone | null) => string

const STYLES = { good: 'green', warning: 'yellow', bad: 'red', faint: 'dim', strong: 'bold' } as const

/** For this very output: stdout may be a pipe while stderr is a terminal. NO_COLOR and FORCE_COLOR are heeded. */
export function paintFor(stream: Writable): Paint {
  return (text, tone) => (tone === null ? text : styleText(STYLES[tone], text, { stream }))
}

const WORDS: ReadonlyMap<string, Tone> = new Map([
  ...(['active', 'serving', 'up'] as const).map(word => [word, 'good'] as const),
  ...(
    [
      'paused',
      'draining',
      'half_open',
      'slow_start',
      'quarantined',
      'closing',
      'connecting',
      'running',
    ] as const
  ).map(word => [word, 'warning'] as const),
  ...(['open', 'disabled', 'ejected', 'lost', 'poisoned'] as const).map(word => [word, 'bad'] as const),
])

/** How a state of a target, breaker, host, connection or worker is to be seen. */
export function toneOf(state: string): Tone | null {
  return WORDS.get(state) ?? null
}
