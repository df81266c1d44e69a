/** Dialogs as an I/O worker runs them: plain data that crosses threads. What an operator writes is config's. */
import type { TlsClient } from './tls-data.ts'

/** Bytes in pieces: those of an array as they are, those of a text as the capture of that name. */
export type DialogBytes = readonly (Uint8Array | string)[]

/** What has to come next. `pattern` is the text of a Pattern; `frame` is one message of the target's frame. */
export type Expectation =
  | { readonly kind: 'bytes'; readonly bytes: DialogBytes }
  | { readonly kind: 'prefix'; readonly bytes: DialogBytes }
  | { readonly kind: 'pattern'; readonly pattern: string }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'line' }
  | { readonly kind: 'frame' }

/** One step; `timeoutMs` bounds it. */
export type DialogStep = DialogAction & {
  readonly timeoutMs: number
  /** The step is left out unless each of these captures has this text; null: it is always taken. */
  readonly when: Readonly<Record<string, string>> | null
}

type DialogAction =
  | { readonly kind: 'send'; readonly bytes: DialogBytes }
  | { readonly kind: 'expect'; readonly what: Expectation; readonly capture: string | null }
  | { readonly kind: 'tls'; readonly tls: TlsClient }
  | { readonly kind: 'wait'; readonly ms: number }

export type Dialog = readonly DialogStep[]

/** A dialog in a module, by its `file:` URL: `export default async (reader, writer, { startTls }) => {…}`. */
export type DialogModule = { readonly module: string }
