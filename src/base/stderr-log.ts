/** The log of this process: one sink in front of its one stderr, however many loggers write to it. */
import { LogSink } from './log-sink.ts'
import { stderrOutlet } from './stderr-outlet.ts'

/** As pino numbers it. */
const WARN = 40

let sink: LogSink | null = null

export function stderrLog(): LogSink {
  sink ??= new LogSink({ outlet: stderrOutlet(), describeLoss })
  return sink
}

/** The line of a log that has lost so many. */
export function describeLoss(lines: number): string {
  const msg = 'log lines were dropped: the reader of stderr was away, too slow, or out of room'
  return `${JSON.stringify({ level: WARN, time: Date.now(), name: 'sockpool', lines, msg })}\n`
}
