/** What a stream does, as a list of words that two streams can be compared by. */
import type { EventEmitter } from 'node:events'

/** Bytes that come in a row are one entry, however they were cut. */
export class EventRecord {
  readonly list: string[] = []
  #bytes = 0

  /** Records these events of a stream, but no data: who listens for data makes it flow. */
  watch(stream: EventEmitter, names: readonly string[], prefix = ''): this {
    for (const name of names) {
      stream.on(name, (first: unknown) => this.mark(`${prefix}${[name, ...wordOf(first)].join(' ')}`))
    }
    return this
  }

  /** Takes the data too, which makes the stream flow. */
  read(stream: EventEmitter, prefix = ''): this {
    stream.on('data', (chunk: Uint8Array) => {
      const last = this.list.at(-1) ?? ''
      const isMore = last.startsWith(`${prefix}data `)
      this.#bytes = isMore ? this.#bytes + chunk.length : chunk.length
      if (isMore) this.list.pop()
      this.list.push(`${prefix}data ${this.#bytes}`)
    })
    return this
  }

  mark(word: string): void {
    this.list.push(word)
  }

  /** A callback whose call is recorded, with the code of its error. */
  callback(name: string): (error?: Error | null) => void {
    return error => this.mark([name, ...wordOf(error)].join(' '))
  }

  has(start: string): boolean {
    return this.list.some(word => word.startsWith(start))
  }
}

/** An error by its codes, a flag as it is. */
function wordOf(value: unknown): string[] {
  if (typeof value === 'boolean') return [String(value)]
  if (!(value instanceof Error)) return []
  const { code, syscall } = value as NodeJS.ErrnoException
  return [code ?? value.message, ...(syscall === undefined ? [] : [syscall])]
}
