/**
 * What garbage collections freed, by what V8 says of each with `--trace-gc`: it names the isolate, so that all threads of a
 * process are counted, each apart. Figures are MB with one decimal, so a sum over many collections counts and a single one does not.
 */

import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** Bytes that collections have freed so far: on the main thread, and on all others. */
export type Freed = { readonly main: number; readonly others: number }

const MB = 1_048_576
const COLLECTION = /^\[\d+:(0x[0-9a-f]+)[^\]]*\] +\d+ ms: .*? ([\d.]+) \([\d.]+\) -> ([\d.]+) \(/

/** Reads the standard output of a process; lines that are no trace go to `onLine`. */
export class GarbageMeter {
  readonly #freed = new Map<string, number>()
  #main: string | null = null

  constructor(output: Readable, onLine: (line: string) => void) {
    createInterface({ input: output }).on('line', line => {
      const [, isolate, before, after] = COLLECTION.exec(line) ?? []
      if (isolate === undefined) onLine(line)
      else this.#count(isolate, (Number(before) - Number(after)) * MB)
    })
  }

  get freed(): Freed {
    const main = this.#main === null ? 0 : (this.#freed.get(this.#main) ?? 0)
    const all = [...this.#freed.values()].reduce((sum, bytes) => sum + bytes, 0)
    return { main, others: all - main }
  }

  /** The first isolate is the main thread's: each process that is measured begins with a collection there. */
  #count(isolate: string, bytes: number): void {
    this.#main ??= isolate
    this.#freed.set(isolate, (this.#freed.get(isolate) ?? 0) + Math.max(0, bytes))
  }
}

/** Arguments of a Node process whose garbage is counted. */
export const TRACE_ARGUMENTS: readonly string[] = ['--trace-gc', '--expose-gc']
