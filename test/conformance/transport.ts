/**
 * What a conformance case sees of the thing it runs over. A case is written once; what it needs says over which
 * transports it runs, and exemptions.ts says why not over the others.
 */
import type { MatchedRead, ReadOptions, Separator } from '../../src/streams/reading/stream-reader.ts'

/**
 * `fed`: fed by hand, with asyncio's feed calls. `async`: StreamReader and StreamWriter themselves, with several calls
 * at once, signals and what they look like. `writer`: there is a writer, and a peer that gets its bytes. `half-close`:
 * one direction can end alone. `socket`: a real connection in an I/O worker. `tls`: it is encrypted. `own`: it was
 * opened by openConnection, for its caller alone.
 */
export type Trait = 'fed' | 'async' | 'writer' | 'half-close' | 'socket' | 'tls' | 'own'

/** From another thread answers come later. */
type Answer<T> = T | Promise<T>
type CallOptions = Omit<ReadOptions, 'signal'>

/** The reader as every transport has it. */
export interface PlainReader extends AsyncIterable<Buffer> {
  read(n?: number, options?: CallOptions): Promise<Buffer>
  readExactly(n: number, options?: CallOptions): Promise<Buffer>
  readUntil(separator?: Separator | readonly Separator[], options?: CallOptions): Promise<Buffer>
  readUntil(
    separator: Separator | readonly Separator[],
    options: CallOptions & { readonly withMatch: true },
  ): Promise<MatchedRead>
  readLine(options?: CallOptions): Promise<Buffer>
  peek(n: number, options?: CallOptions): Promise<Buffer>
  unread(bytes: Uint8Array): Answer<void>
  readonly offset: Answer<number>
  atEof(): Answer<boolean>
  exception(): Answer<Error | null>
}

/** The writer as every transport that has one has it. */
export interface PlainWriter {
  readonly offset: Answer<number>
  readonly dropped: Answer<number>
  write(data: string | Uint8Array): Answer<void>
  writeLines(list: Array<string | Uint8Array>): Answer<void>
  drain(): Promise<void>
  canWriteEof(): Answer<boolean>
  writeEof(): Answer<void>
  close(): Answer<void>
  abort(): Answer<void>
  isClosing(): Answer<boolean>
  waitClosed(): Promise<void>
  getExtraInfo(name: string, fallback?: unknown): Answer<unknown>
}

/** The other end of a connection. */
export interface Peer {
  /** The next `count` bytes that it gets, as Latin-1. It takes none before it is asked. */
  receive(count: number): Promise<string>
  /** Resolves once the other side's direction has ended, or all of the connection. */
  ended(): Promise<void>
  /** Ends both directions in good order. */
  close(): Promise<void>
}

export type Link<R extends PlainReader = PlainReader> = {
  readonly reader: R
  /** Bytes come from the peer; resolves when a read could have them. */
  arrive(text: string | Uint8Array): Promise<void>
  /** As `arrive`, but does not wait: there may be more bytes than fit before they are read. */
  send(text: string | Uint8Array): void
  /** The peer ends its direction; resolves when the reader knows. */
  finish(): Promise<void>
  /** The peer resets the connection; resolves when the reader knows. */
  break(): Promise<void>
}

export type WriterLink<R extends PlainReader = PlainReader, W extends PlainWriter = PlainWriter> = Link<R> & {
  readonly writer: W
  readonly peer: Peer
}

export type OpenOptions = { readonly limit?: number }

export interface Transport {
  /** A fresh stream, which closes with the case. */
  open(options?: OpenOptions): Promise<Link>
  /** With the trait `socket`: connects to a port of this host. */
  readonly dial?: (port: number) => Promise<unknown>
}

export type Case = {
  /** Begins with the name of the test it mirrors, where there is one. */
  readonly title: string
  readonly needs: readonly Trait[]
  run(transport: Transport): Promise<void>
}
