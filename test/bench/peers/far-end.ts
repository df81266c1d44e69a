/** Starts the far end of a row, and the load of those whose contenders stand in the middle: in C where there is a compiler. */
import { existsSync } from 'node:fs'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Child } from '../child.ts'
import type { Outcome } from '../hosting/runner.ts'
import { scratchFile } from '../hosting/scratch.ts'
import { findTool, runTool, Tool } from '../hosting/tool.ts'
import type { PeerPorts } from './peer.ts'

/** Ports of the far end; `records` has rows of its own (startRecords). */
export type FarPorts = Omit<PeerPorts, 'records'>

export type FarEnd = { readonly ports: FarPorts; readonly close: () => Promise<void> }

export async function startFarEnd(): Promise<FarEnd> {
  const program = compiled('peer')
  if (program === null) return startNodePeer()
  const tool = new Tool(program, [])
  const [line] = await firstOf(linesOf(tool))
  return { ports: JSON.parse(line) as FarPorts, close: () => tool.close() }
}

/** The far end of rows that read records, which is Node's. */
export async function startRecords(): Promise<{
  readonly ports: PeerPorts
  readonly close: () => Promise<void>
}> {
  return startNodePeer()
}

async function startNodePeer(): Promise<{ readonly ports: PeerPorts; readonly close: () => Promise<void> }> {
  const child = new Child('./peers/peer.ts')
  const ports = (await child.next()) as PeerPorts
  return { ports, close: () => child.close() }
}

/** Drives what stands in the middle. */
export class Load {
  readonly #tool: Tool
  readonly #lines: Interface

  constructor() {
    const program = compiled('load')
    const script = fileURLToPath(new URL('./load.ts', import.meta.url))
    this.#tool = program === null ? new Tool(process.execPath, [script]) : new Tool(program, [])
    this.#lines = linesOf(this.#tool)
  }

  /** 64 bytes there and back on each of so many connections. */
  echo(port: number, connections: number, forMs: number): Promise<Outcome> {
    return this.#ask(`echo ${port} ${connections} ${Math.round(forMs)}`)
  }

  /** So many bytes in; the count is in MiB. */
  take(port: number, bytes: number): Promise<Outcome> {
    return this.#ask(`take ${port} ${bytes}`)
  }

  close(): Promise<void> {
    return this.#tool.close()
  }

  async #ask(line: string): Promise<Outcome> {
    const answer = firstOf(this.#lines)
    this.#tool.process.stdin?.write(`${line}\n`)
    const [count, us] = (await answer)[0].split(' ')
    return { count: Number(count), elapsedMs: Number(us) / 1_000 }
  }
}

function linesOf({ process: { stdout } }: Tool): Interface {
  if (stdout === null) throw new Error('a program of the bench has no output')
  return createInterface({ input: stdout })
}

function firstOf(lines: Interface): Promise<[string]> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new Error('a program of the bench has ended'))
    lines.once('close', onClose)
    lines.once('line', line => {
      lines.off('close', onClose)
      resolve([line])
    })
  })
}

/** The program made of a source beside this file; null where there is no compiler. Made once in a run. */
function compiled(name: string): string | null {
  const compiler = findTool('gcc') ?? findTool('cc')
  if (compiler === null) return null
  const program = scratchFile(name)
  if (!existsSync(program))
    runTool(compiler, ['-O2', '-o', program, fileURLToPath(new URL(`./${name}.c`, import.meta.url))])
  return program
}
