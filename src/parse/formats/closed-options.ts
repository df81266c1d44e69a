import { SockpoolError } from '../../base/errors.ts'

/**
 * A caller's options as a record of `known` names.
 *
 * Absent options are none. Errors: INVALID_REQUEST, with the path `options.NAME` of each unknown one.
 */
export function closedOptions<Name extends string>(
  format: string,
  input: unknown,
  known: readonly Name[],
): Partial<Record<Name, unknown>> {
  if (input === undefined || input === null) return {}
  if (typeof input !== 'object' || Array.isArray(input))
    throw invalid(format, [{ path: 'options', message: 'must be an object' }])
  const names: readonly string[] = known
  const unknown = Object.keys(input).filter(name => !names.includes(name))
  if (unknown.length > 0)
    throw invalid(
      format,
      unknown.map(name => ({ path: `options.${name}`, message: `is not an option of ${format}` })),
    )
  return input
}

function invalid(format: string, errors: Array<{ path: string; message: string }>): SockpoolError {
  return new SockpoolError('INVALID_REQUEST', `the options do not fit the format ${format}`, { errors })
}
