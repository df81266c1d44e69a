/**
 * The Python that some tests compare with: `python3`, or what SOCKPOOL_TEST_PYTHON names. A test skips where there is
 * none, and says so; with SOCKPOOL_TEST_SERVICES=required it fails.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const { SOCKPOOL_TEST_PYTHON: PYTHON = 'python3', SOCKPOOL_TEST_SERVICES } = process.env

/** A program of Python 3, and its minor version. */
export type Python = { readonly program: string; readonly minor: number }

/** One of at least that minor version; `skip` ends the test where there is none. */
export async function findPython(minor: number, skip: (note: string) => never): Promise<Python> {
  const found = await version()
  if (found !== null && found >= minor) return { program: PYTHON, minor: found }
  const what = found === null ? `no ${PYTHON}` : `${PYTHON} is 3.${found}`
  const note = `${what} and Python 3.${minor} is needed; install it, or name it in SOCKPOOL_TEST_PYTHON`
  if (SOCKPOOL_TEST_SERVICES === 'required') throw new Error(note)
  console.warn(`SKIPPED: ${note}`)
  return skip(note)
}

/** The minor version of Python 3, or null where there is no such program. */
async function version(): Promise<number | null> {
  try {
    const { stdout } = await promisify(execFile)(PYTHON, ['--version'])
    const minor = /^Python 3\.(\d+)/.exec(stdout)?.[1]
    return minor === undefined ? null : Number(minor)
  } catch {
    return null
  }
}
