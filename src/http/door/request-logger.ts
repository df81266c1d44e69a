/**
 * The logger of one request, by which its lines say which request they are about. A logger below another writes what all its
 * lines begin with as soon as it is made; most requests log nothing, so that it is made for the first line.
 */
import type { FastifyBaseLogger } from 'fastify'

type Line = [text: string]

export class RequestLogger implements FastifyBaseLogger {
  readonly #make: () => FastifyBaseLogger
  #made: FastifyBaseLogger | null = null

  constructor(make: () => FastifyBaseLogger) {
    this.#make = make
  }

  get level(): string {
    return this.#own.level
  }

  set level(level: string) {
    this.#own.level = level
  }

  child(...said: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.#own.child(...said)
  }

  // What a line may be is checked by the interface that they implement, and the first of its forms stands for all.

  fatal(...line: unknown[]): void {
    this.#own.fatal(...(line as Line))
  }

  error(...line: unknown[]): void {
    this.#own.error(...(line as Line))
  }

  warn(...line: unknown[]): void {
    this.#own.warn(...(line as Line))
  }

  info(...line: unknown[]): void {
    this.#own.info(...(line as Line))
  }

  debug(...line: unknown[]): void {
    this.#own.debug(...(line as Line))
  }

  trace(...line: unknown[]): void {
    this.#own.trace(...(line as Line))
  }

  silent(...line: unknown[]): void {
    this.#own.silent(...(line as Line))
  }

  get #own(): FastifyBaseLogger {
    this.#made ??= this.#make()
    return this.#made
  }
}
