/** The table of all error codes, as docs/errors.md has it. */
import { ERROR_CODES } from '../../src/base/errors.ts'

export function errorTable(): string {
  const rows = Object.entries(ERROR_CODES).toSorted(([, one], [, other]) => one.status - other.status)
  const lines = rows.map(
    ([code, { status, title, retryable }]) =>
      `| \`${code.toLowerCase()}\` | ${status} | ${title} | ${retryable ? 'yes' : 'no'} |`,
  )
  return ['| code | status | meaning | retry |', '|---|---|---|---|', ...lines].join('\n')
}
