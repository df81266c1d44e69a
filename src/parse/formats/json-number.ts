/** The grammar of a number in JSON (RFC 8259, section 6), a byte at a time. */

/** How far a number has come. */
export const NUMBER = {
  start: 0,
  minus: 1,
  /** After a leading zero, which no digit may follow. */
  zero: 2,
  integer: 3,
  /** After the point: a digit must follow. */
  point: 4,
  fraction: 5,
  /** After e or E: a sign or a digit must follow. */
  exponentSign: 6,
  exponentFirst: 7,
  exponent: 8,
} as const

export type NumberState = (typeof NUMBER)[keyof typeof NUMBER]

/** Whether a number may end here. */
export function isWholeNumber(state: NumberState): boolean {
  return (
    state === NUMBER.zero ||
    state === NUMBER.integer ||
    state === NUMBER.fraction ||
    state === NUMBER.exponent
  )
}

/** The state after one more byte; null if the number does not go on with it. */
export function nextOfNumber(state: NumberState, byte: number): NumberState | null {
  const digit = byte >= 0x30 && byte <= 0x39
  switch (state) {
    case NUMBER.start:
      return byte === 0x2d ? NUMBER.minus : leadingDigit(byte, digit)
    case NUMBER.minus:
      return leadingDigit(byte, digit)
    case NUMBER.zero:
      return pointOrExponent(byte)
    case NUMBER.integer:
      return digit ? NUMBER.integer : pointOrExponent(byte)
    case NUMBER.point:
      return digit ? NUMBER.fraction : null
    case NUMBER.fraction:
      if (digit) return NUMBER.fraction
      return isE(byte) ? NUMBER.exponentSign : null
    case NUMBER.exponentSign:
      if (byte === 0x2b || byte === 0x2d) return NUMBER.exponentFirst
      return digit ? NUMBER.exponent : null
    case NUMBER.exponentFirst:
    case NUMBER.exponent:
      return digit ? NUMBER.exponent : null
    default:
      return state satisfies never
  }
}

function leadingDigit(byte: number, digit: boolean): NumberState | null {
  if (byte === 0x30) return NUMBER.zero
  return digit ? NUMBER.integer : null
}

function pointOrExponent(byte: number): NumberState | null {
  if (byte === 0x2e) return NUMBER.point
  return isE(byte) ? NUMBER.exponentSign : null
}

function isE(byte: number): boolean {
  return byte === 0x65 || byte === 0x45
}
