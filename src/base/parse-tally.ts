/** How long parses wait for a worker, and how long they take, by where they are done. */
import { DurationTally } from './duration-tally.ts'

export const PARSE_PLACES = ['thread', 'process', 'in_place'] as const
export type ParsePlace = (typeof PARSE_PLACES)[number]

export class ParseTally {
  /** Of tasks for threads and processes, those that were given up while they waited too. */
  readonly waits: DurationTally = new DurationTally()
  readonly tasks: Readonly<Record<ParsePlace, DurationTally>> = {
    thread: new DurationTally(),
    process: new DurationTally(),
    in_place: new DurationTally(),
  }
}

/** The part of one place. */
export type PlaceTally = { readonly waits: DurationTally; readonly tasks: DurationTally }
