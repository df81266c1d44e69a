/**
 * How a judgement is put down. Its record (`Decision`, in the thread protocol) is for logs and metrics; the caller of
 * the service never sees it: to them every refusal looks alike. It holds no control character and nothing beyond
 * its bounds, whatever was asked for.
 */
import type { Address } from './address.ts'

const TEXT_MAX = 255
const ADDRESSES_MAX = 16

/** A text as a log may hold it: printable ASCII, the rest as `?`, cut to 255 characters. */
export function cleaned(value: unknown): string {
  if (typeof value !== 'string') return `(${value === null ? 'null' : typeof value})`
  return value.slice(0, TEXT_MAX).replace(/[^\x20-\x7e]/g, '?')
}

/** The texts of the addresses that a record shows. */
export function shownAddresses(addresses: readonly Address[]): readonly string[] {
  return addresses.slice(0, ADDRESSES_MAX).map(({ text }) => text)
}
