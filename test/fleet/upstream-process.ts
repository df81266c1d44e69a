/** The upstream, as a play sees it: what it has counted, at every instant. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { within } from '../support/service-process.ts'
import type { OpenCounts, UpstreamSpec, UpstreamWord } from './upstream.ts'

export type UpstreamReport = { readonly now: OpenCounts; readonly accepted: number }

const SCRIPT = new URL('./upstream.ts', import.meta.url)
/** Milliseconds in which it must answer, on a machine that is busy. */
const ANSWER_MS = 30_000

export class UpstreamProcess {
  readonly #process: ChildProcess
  readonly #ports: readonly number[]
  readonly #counts: OpenCounts[] = []
  #reports: ((report: UpstreamReport) => void)[] = []

  private constructor(child: ChildProcess, ports: readonly number[]) {
    this.#process = child
    this.#ports = ports
    child.on('message', (word: UpstreamWord) => this.#hear(word))
  }

  /** `ports`: how many, one for each instance. */
  static async start(spec: UpstreamSpec): Promise<UpstreamProcess> {
    const child = fork(SCRIPT, [JSON.stringify(spec)], { execArgv: [], stdio: 'inherit' })
    const listening = once(child, 'message') as Promise<[UpstreamWord]>
    const [word] = await within(ANSWER_MS, listening, 'the upstream did not listen')
    if (word.kind !== 'listening') throw new Error(`the upstream said ${word.kind} first`)
    return new UpstreamProcess(child, word.ports)
  }

  get process(): ChildProcess {
    return this.#process
  }

  get ports(): readonly number[] {
    return this.#ports
  }

  /** Each change since it began, in turn. */
  get counts(): readonly OpenCounts[] {
    return this.#counts
  }

  /** What it has heard of last, a few dozen milliseconds ago at the most. */
  get latest(): OpenCounts {
    return this.#counts.at(-1) ?? { atMs: 0, total: 0, byPort: this.#ports.map(() => 0) }
  }

  /** How it stands now. All that has changed before is among `counts` then. */
  async report(): Promise<UpstreamReport> {
    const answered = new Promise<UpstreamReport>(resolve => this.#reports.push(resolve))
    this.#process.send('report')
    return await within(ANSWER_MS, answered, 'the upstream did not answer')
  }

  async close(): Promise<void> {
    if (!this.#process.connected) return
    const exited = once(this.#process, 'exit')
    this.#process.disconnect()
    await exited
  }

  #hear(word: UpstreamWord): void {
    switch (word.kind) {
      case 'listening':
        return
      case 'seen':
        for (const row of word.rows) this.#counts.push(row)
        return
      case 'report':
        return this.#reports.shift()?.(word)
      default:
        word satisfies never
    }
  }
}
