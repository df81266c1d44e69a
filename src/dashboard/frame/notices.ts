/** What the page says of what was done and of what happened: a few lines that stand in a corner and are read aloud. */
import { type Signal, signal } from '@preact/signals'
import type { ServiceProblem } from '../service/service-problem.ts'

export type Notice = {
  readonly id: number
  readonly tone: 'good' | 'bad'
  readonly text: string
  /** Shown in full. */
  readonly problem: ServiceProblem | null
}

/** Milliseconds that what went well stands there; what failed stands until it is dismissed. */
const GOOD_MS = 8_000
const NOTICES_MAX = 4

export class Notices {
  readonly shown: Signal<readonly Notice[]> = signal([])
  #count = 0

  good(text: string): void {
    const id = this.#add({ tone: 'good', text, problem: null })
    setTimeout(() => this.dismiss(id), GOOD_MS)
  }

  bad(text: string, problem: ServiceProblem | null = null): void {
    this.#add({ tone: 'bad', text, problem })
  }

  dismiss(id: number): void {
    this.shown.value = this.shown.value.filter(notice => notice.id !== id)
  }

  #add(notice: Omit<Notice, 'id'>): number {
    const id = ++this.#count
    this.shown.value = [...this.shown.value, { ...notice, id }].slice(-NOTICES_MAX)
    return id
  }
}
