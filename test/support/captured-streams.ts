/** Streams of a command under test: what it prints is kept as text. */
import { PassThrough, Readable } from 'node:stream'

export type CapturedStreams = {
  readonly stdin: Readable
  readonly stdout: PassThrough
  readonly stderr: PassThrough
  /** Everything printed so far. */
  text(of: 'stdout' | 'stderr'): string
}

export function captureStreams(stdin = ''): CapturedStreams {
  const printed = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  const capture = (into: Buffer[]): PassThrough => {
    const stream = new PassThrough()
    stream.on('data', (chunk: Buffer) => into.push(chunk))
    return stream
  }
  return {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: capture(printed.stdout),
    stderr: capture(printed.stderr),
    text: of => Buffer.concat(printed[of]).toString('utf8'),
  }
}
