/**
 * A server of the test's own: a program that is started on a free port and ends with its test. Where it is not installed
 * the test skips and says so; with SOCKPOOL_TEST_SERVICES=required it fails.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { connect } from 'node:net'
import { delimiter, isAbsolute, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Place } from './services.ts'
import { refusingPort } from './test-server.ts'

export type OwnProgram = {
  /** Its path, or its name on the PATH. */
  readonly command: string
  readonly args: (port: number) => readonly string[]
  /** The Debian package that it comes with. */
  readonly from: string
  /** Who runs it; default: who runs the test. */
  readonly owner?: { readonly uid?: number; readonly gid?: number }
}

/** Milliseconds that it has to accept. */
const START_MS = 15_000
const LOOK_MS = 20

/** Where it accepts. */
export async function startProgramOn(
  { command, args, from, owner = {} }: OwnProgram,
  skip: (note: string) => never,
): Promise<Place> {
  await requireProgram(command, from, skip)
  const port = await refusingPort()
  const child = spawn(command, args(port), { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/', ...owner })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk
  })
  onTestFinished(() => end(child))
  const place = { host: '127.0.0.1', port }
  for (const untilMs = Date.now() + START_MS; !(await accepts(place)); ) {
    if (child.exitCode !== null || Date.now() > untilMs) throw new Error(`${command} did not start: ${said}`)
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }
  return place
}

/** Its path; ends the test where it is not there. */
export async function requireProgram(
  command: string,
  from: string,
  skip: (note: string) => never,
): Promise<string> {
  const { PATH = '', SOCKPOOL_TEST_SERVICES } = process.env
  for (const folder of isAbsolute(command) ? [''] : [...PATH.split(delimiter), '/usr/sbin']) {
    const path = join(folder, command)
    const isThere = await access(path).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  const note = `${command} is not installed; it comes with ${from}`
  if (SOCKPOOL_TEST_SERVICES === 'required') throw new Error(note)
  console.warn(`SKIPPED: ${note}`)
  return skip(note)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  // What ends PostgreSQL at once, and the others as well as any signal.
  child.kill('SIGINT')
  await exited
}

async function accepts({ host, port }: Place): Promise<boolean> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
