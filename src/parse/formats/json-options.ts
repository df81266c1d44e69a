/** What a caller may ask of JSON beyond what `JSON.parse` does. Both formats of JSON take these. */
import { choiceOption } from '../../base/options.ts'
import { closedOptions } from './closed-options.ts'

export type JsonOptions = {
  /** `string`: a whole number that no double holds exactly is a text of its digits. `number`: the nearest double. */
  readonly bigint: 'number' | 'string'
  /** `error`: an object that has a key twice is refused. `last`: the last of equal keys counts. */
  readonly duplicates: 'last' | 'error'
}

/** Default: `{bigint: 'number', duplicates: 'last'}`. Errors: INVALID_REQUEST. */
export function jsonOptions<More extends string>(
  format: string,
  options: unknown,
  more: readonly More[] = [],
): JsonOptions & Partial<Record<More, unknown>> {
  const { bigint, duplicates, ...others } = closedOptions(format, options, ['bigint', 'duplicates', ...more])
  const chosen = {
    bigint: (choiceOption('options.bigint', bigint, ['number', 'string']) ??
      'number') as JsonOptions['bigint'],
    duplicates: (choiceOption('options.duplicates', duplicates, ['last', 'error']) ??
      'last') as JsonOptions['duplicates'],
  }
  return { ...(others as Partial<Record<More, unknown>>), ...chosen }
}
