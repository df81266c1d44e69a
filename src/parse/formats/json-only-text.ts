import { SockpoolError } from '../../base/errors.ts'
import type { Cutter, CutterState } from './format.ts'
import { isBlank, type JsonBounds, JsonScanner } from './json-scanner.ts'

/** An input that is one JSON text and nothing else but white space: it ends where the input does. */
export class OnlyTextCutter implements Cutter {
  readonly #scanner: JsonScanner
  #seen: number
  #isWhole: boolean

  constructor(bounds: JsonBounds, saved?: CutterState) {
    this.#scanner = new JsonScanner(bounds, saved)
    this.#seen = Number(saved?.['all'] ?? 0)
    this.#isWhole = saved?.['isWhole'] === true
  }

  push(chunk: Uint8Array): number {
    let from = 0
    if (!this.#isWhole) {
      const length = this.#scanner.push(chunk)
      this.#isWhole = length > 0
      from = this.#isWhole ? length - this.#seen : chunk.length
    }
    for (let index = from; index < chunk.length; index++)
      if (!isBlank(chunk[index] ?? 0))
        throw new SockpoolError('PARSE_FAILED', 'more follows the JSON text', { offset: this.#seen + index })
    this.#seen += chunk.length
    return 0
  }

  finish(): number | 'partial' {
    const end = this.#isWhole ? this.#seen : this.#scanner.finish()
    if (end !== 'none') return end
    throw new SockpoolError('PARSE_FAILED', 'the input holds no JSON text', { offset: this.#seen })
  }

  save(): CutterState {
    return { ...this.#scanner.save(), all: this.#seen, isWhole: this.#isWhole }
  }
}
