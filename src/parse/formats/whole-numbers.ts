/** Whole numbers that may be larger than a double tells exactly. */
import { choiceOption } from '../../base/options.ts'

/**
 * What a whole number beyond 2^53 becomes. `string`: its digits, exactly. `number`: the nearest double. `bigint`: a bigint,
 * which is its digits in an answer of JSON.
 */
export const WHOLE_FORMS = ['string', 'number', 'bigint'] as const

export type WholeForm = (typeof WHOLE_FORMS)[number]

/** The form that an option `bigint` asks for; default string. Errors: INVALID_REQUEST. */
export function wholeFormOption(value: unknown): WholeForm {
  return (choiceOption('options.bigint', value, WHOLE_FORMS) ?? 'string') as WholeForm
}

const DIGITS = /^([+-]?)0*(\d+)$/

/** A number where that is exact. `digits`: decimal, with a sign or none; or the number itself. */
export function wholeNumber(digits: string | bigint, form: WholeForm): number | string | bigint {
  const number = Number(digits)
  // Of zeros there is one, and -0 is none that was meant.
  if (Number.isSafeInteger(number)) return number === 0 ? 0 : number
  switch (form) {
    case 'string':
      return typeof digits === 'bigint' ? digits.toString() : plain(digits)
    case 'number':
      return number
    case 'bigint':
      return BigInt(plain(digits.toString()))
    default:
      return form satisfies never
  }
}

/** The digits as a bigint would be written. */
function plain(digits: string): string {
  const [, sign, rest] = DIGITS.exec(digits) ?? []
  return sign === '-' ? `-${rest}` : (rest ?? digits)
}
