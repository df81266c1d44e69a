/**
 * A Redis of the test's own, which is stopped, frozen and started again at one place. Where it is not installed the test
 * skips and says so; with SOCKPOOL_TEST_SERVICES=required it fails.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { onTestFinished } from 'vitest'
import { requireProgram } from './own-program.ts'
import { refusingPort } from './test-server.ts'

/** Milliseconds that it has to accept, and between two looks. */
const START_MS = 15_000
const LOOK_MS = 10

export class OwnRedis {
  readonly port: number
  readonly #command: string
  #process: ChildProcess | null = null

  private constructor(command: string, port: number) {
    this.#command = command
    this.port = port
  }

  static async start(skip: (note: string) => never): Promise<OwnRedis> {
    const command = await requireProgram('redis-server', 'redis-server', skip)
    const redis = new OwnRedis(command, await refusingPort())
    onTestFinished(() => redis.stop('SIGKILL'))
    await redis.start()
    return redis
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts it, empty, where it was before. */
  async start(): Promise<void> {
    const args = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--save', '']
    const child = spawn(this.#command, args, { stdio: 'ignore', cwd: '/' })
    this.#process = child
    for (const untilMs = performance.now() + START_MS; !(await this.#accepts()); ) {
      if (child.exitCode !== null || performance.now() > untilMs) throw new Error('Redis did not start')
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }

  /** `SIGTERM` has it end in order; `SIGKILL` leaves it no time, and ends it frozen too. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  async #accepts(): Promise<boolean> {
    const socket = connect({ host: '127.0.0.1', port: this.port })
    try {
      await once(socket, 'connect')
      return true
    } catch {
      return false
    } finally {
      socket.destroy()
    }
  }
}
