/**
 * A dialog that a module speaks: a function of the program's own, with a reader and a writer over the connection for as
 * long as it runs. It runs in the I/O worker, whose other connections wait while it computes. Afterwards its streams are
 * the pool's; what it has not read is left over.
 */
import { errorText } from '../../../src/base/error-text.ts'
import { SockpoolError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import { textOption } from '../../../src/base/options.ts'
import { remainingMs, Wait } from '../../../src/base/wait.ts'
import type { StreamEnd } from '../../../src/streams/byte-source.ts'
import { MemorySource } from '../../../src/streams/reading/memory-source.ts'
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import { type StartTlsOptions, StreamWriter } from '../../../src/streams/writing/stream-writer.ts'
import type { TlsClient } from '../../../src/threads/protocol.ts'
import type { DialogLine, DialogUnderWay } from './dialog-run.ts'
import { LineSink } from './line-sink.ts'

/** The only step of such a dialog. */
const STEP = 1

type Play = (
  reader: StreamReader,
  writer: StreamWriter,
  tools: { readonly startTls: (options?: StartTlsOptions) => Promise<void> },
) => unknown

export class ModuleRun implements DialogUnderWay {
  readonly done: Promise<void>
  readonly #line: DialogLine
  readonly #source = new MemorySource()
  readonly #sink: LineSink
  readonly #wait: Wait<void>
  readonly #timeoutMs: number
  readonly #startedMs = performance.now()

  /** `timeoutMs`: for all of it. */
  constructor(url: string, line: DialogLine, timeoutMs: number) {
    this.#line = line
    this.#timeoutMs = timeoutMs
    this.#sink = new LineSink(line, () => this.fail('closed'))
    this.#wait = new Wait<void>('the dialog', 'DIALOG_FAILED', { timeoutMs }, () => this.fail('timeout'))
    this.done = this.#wait.promise
    // Whoever began it may be gone when it fails.
    this.done.catch(() => {})
    this.#play(url).then(
      () => this.#over(() => this.#wait.resolve()),
      error => this.#over(() => this.#wait.reject(told(error))),
    )
  }

  get isOver(): boolean {
    return this.#wait.settled
  }

  get leftover(): Iterable<Buffer> {
    return [...this.#source.views()].map(view => Buffer.from(view))
  }

  received(bytes: Buffer): void {
    if (this.#source.available + bytes.length > LIMITS.dialogModuleBytesMax) this.fail('too_long')
    else this.#source.feed(bytes)
  }

  fail(reason: string): void {
    this.#over(() => this.#wait.reject(failed(reason)))
  }

  /** Settles, once; the module's streams are of no use from then on. */
  #over(settle: () => void): void {
    if (this.isOver) return
    settle()
    const error = new SockpoolError('CONNECTION_RESET', 'the dialog is over')
    const end: StreamEnd = { kind: 'failed', error, isRevoked: true }
    this.#source.finish(end)
    this.#sink.finish(end)
  }

  async #play(url: string): Promise<void> {
    const play = await loaded(url)
    const reader = new StreamReader({}, this.#source)
    const writer: StreamWriter = new StreamWriter(this.#sink, {
      startTls: async (options, flushed) => {
        await this.#startTls(tlsOf(options), flushed)
        return {}
      },
    })
    await play(reader, writer, { startTls: options => writer.startTls(options) })
    await writer.send('', { until: 'flushed' })
  }

  async #startTls(tls: TlsClient, flushed: () => Promise<void>): Promise<void> {
    this.#refuseEarly()
    await flushed()
    await this.#line.settle()
    this.#refuseEarly()
    if (this.isOver) throw failed('closed')
    const leftMs = remainingMs(this.#timeoutMs, this.#startedMs, performance.now()) ?? 0
    await this.#line.startTls(tls, leftMs)
  }

  #refuseEarly(): void {
    const { available } = this.#source
    if (available === 0) return
    const message = `${available} bytes of plain text came before the TLS handshake`
    throw new SockpoolError('STARTTLS_INJECTION', message, { step: STEP })
  }
}

async function loaded(url: string): Promise<Play> {
  const module: unknown = await import(url).catch((error: unknown) => {
    throw failed('no_module', error, errorText(error))
  })
  const play = typeof module === 'object' && module !== null && 'default' in module ? module.default : null
  if (typeof play !== 'function')
    throw failed('no_module', undefined, 'the module has no function as its default export')
  return play as Play
}

/** What the module threw may hold what was said: its name is told, and what TLS has against the peer. */
function told(error: unknown): SockpoolError {
  if (!(error instanceof SockpoolError)) return failed('threw', error)
  switch (error.code) {
    case 'DIALOG_FAILED':
    case 'STARTTLS_INJECTION':
      return error
    case 'TLS_FAILED':
      return failed(error.reason ?? 'tls', error, error.message)
    default:
      return failed(error.code.toLowerCase(), error)
  }
}

function failed(reason: string, cause?: unknown, why = reason): SockpoolError {
  const details = { step: STEP, reason, ...(cause === undefined ? {} : { cause }) }
  return new SockpoolError('DIALOG_FAILED', `step ${STEP} of the dialog failed: ${why}`, details)
}

/** Field by field, with PEM as text. Errors: INVALID_REQUEST. */
function tlsOf({ servername, ca, cert, key, alpn, minVersion }: StartTlsOptions): TlsClient {
  const pem = (path: string, value: string | Uint8Array | undefined): string | undefined =>
    textOption(path, value instanceof Uint8Array ? Buffer.from(value).toString() : value)
  return {
    servername: textOption('servername', servername),
    ca: pem('ca', ca),
    cert: pem('cert', cert),
    key: pem('key', key),
    alpn,
    minVersion,
  }
}
