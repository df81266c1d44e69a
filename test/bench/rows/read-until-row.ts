/** Row `read-until`: whether a message that comes a byte at a time is searched once, and so costs in proportion to its length. */
import type { Goal } from '../goals.ts'
import type { HostedInput } from '../hosting/hosted.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { ReadUntilOptions } from '../ours/read-until.ts'
import type { Row } from '../rounds.ts'

const MB = 1_000_000

export function readUntilRow(name: string, goals: readonly Goal[]): Row {
  const contender = (name: string, bytes: number): HostedInput => {
    const options: ReadUntilOptions = { bytes }
    return { name, file: 'ours/read-until.ts', options }
  }
  return {
    name,
    what: 'readUntil over 4 MB and over 1 MB that come a byte at a time',
    unit: 'MiB/s',
    goals,
    roundsMax: 5,
    setUp: ({ share }) =>
      fieldOf(null, [contender('sockpool', 4 * MB * share), contender('1 MB', MB * share)]),
  }
}
