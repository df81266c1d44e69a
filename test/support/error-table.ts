/** The table of all error codes, as docs/errors.md has it. */
import { ERROR_TITLES } from '../../src/base/error-titles.ts'
import { ERROR_CODES, type ErrorCode } from '../../src/base/errors.ts'

export function errorTable(): string {
  const rows = Object.entries(ERROR_CODES).toSorted(([, one], [, other]) => one.status - other.status)
  const lines = rows.map(
    ([code, { status, retryable }]) =>
      `| \`${code.toLowerCase()}\` | ${status} | ${ERROR_TITLES[code as ErrorCode]} | ${retryable ? 'yes' : 'no'} |`,
  )
  return ['| code | status | meaning | retry |', '|---|---|---|---|', ...lines].join('\n')
}
