/** One HTTP connection as bytes in both directions, which the test begins, reads and ends as it likes. */
import { connect, type Socket } from 'node:net'
import { until } from './until.ts'

export class RawConnection {
  readonly socket: Socket
  #text = ''
  #isEnded = false
  #error: Error | null = null

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#text += text
    })
    socket.on('end', () => {
      this.#isEnded = true
    })
    socket.on('error', error => {
      this.#error = error
    })
  }

  static open(port: number): RawConnection {
    return new RawConnection(connect({ host: '127.0.0.1', port, allowHalfOpen: true }))
  }

  /** What came so far. */
  get text(): string {
    return this.#text
  }

  /** The service has ended its side, in order. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** What broke the connection; null where nothing did. */
  get error(): Error | null {
    return this.#error
  }

  /** Statuses of the answers that came so far. */
  get statuses(): number[] {
    return Array.from(this.#text.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status))
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Resolves when so many answers have begun. */
  answers(count: number): Promise<void> {
    return until(`${count} answers came`, () => this.statuses.length >= count, 10_000)
  }

  /** Resolves when the connection is over, in whatever way. */
  over(withinMs?: number): Promise<void> {
    return until('the connection is over', () => this.#isEnded || this.socket.destroyed, withinMs)
  }
}
