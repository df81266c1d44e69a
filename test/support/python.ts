/**
 * The Python that some tests compare with: `python3`, or what SOCKPOOL_TEST_PYTHON names. A test skips where there is
 * none, and says so; with SOCKPOOL_TEST_SERVICES=required it fails.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const { SOCKPOOL_TEST_PYTHON: PYTHON = 'python3', SOCKPOOL_TEST_SERVICES } = process.env

/** The program, which is at least that version 3 of Python; `skip` ends the test where there is none. */
export async function findPython(minor: number, skip: (note: string) => never): Promise<string> {
  const found = await version()
  if (found !== null && found >= minor) return PYTHON
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
