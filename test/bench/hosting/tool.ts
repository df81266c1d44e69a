/** Programs of this machine that the bench uses where they are there: a compiler, load generators, rivals. */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Where the program lies; null where it is not installed. Servers lie in folders that not every user's path has. */
export function findTool(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map(folder => join(folder, name)).find(isExecutable) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Runs a program to its end. Throws with what it said where it fails. */
export function runTool(command: string, parameters: readonly string[], folder?: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, { encoding: 'utf8', cwd: folder })
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}${stdout}`)
  return stdout
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A program that runs until it is closed, and no longer than this process. */
export class Tool {
  readonly process: ChildProcess
  readonly pid: number

  constructor(command: string, parameters: readonly string[], options: SpawnOptions = {}) {
    this.process = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'inherit'], ...options })
    this.process.on('error', error => {
      throw error
    })
    running.add(this.process)
    this.process.once('exit', () => running.delete(this.process))
    this.pid = this.process.pid ?? 0
  }

  async close(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const exited = once(this.process, 'exit')
    this.process.kill('SIGTERM')
    const killer = setTimeout(() => this.process.kill('SIGKILL'), 5_000)
    await exited
    clearTimeout(killer)
  }
}

/** A port that nobody listens at just now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

/** Waits until somebody listens at the port. */
export async function waitForPort(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await isOpen(port)) return
    await delay(25)
  }
  throw new Error(`nobody listens at port ${port}`)
}

function isOpen(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  return new Promise(resolve => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  }).then(open => {
    socket.destroy()
    return open === true
  })
}
