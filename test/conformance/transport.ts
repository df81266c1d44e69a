/**
 * What a conformance case sees of the thing it runs over. A case is written once; each transport says by its traits
 * which cases make sense there. To add one (another thread, a client over HTTP) is to write its `open`.
 */
import type { ReadOptions, Separator } from '../../src/streams/stream-reader.ts'
import type { StreamWriter } from '../../src/streams/stream-writer.ts'

/**
 * `memory`: fed by hand in this thread, with asyncio's feed calls. `whole`: the reader is StreamReader itself, with
 * options, iterators and several calls at once. `break`: the peer can reset. `writer`: there is a StreamWriter and a
 * peer that gets its bytes. `half-close`: one direction can end alone. `socket`: real sockets in an I/O worker.
 */
export type Trait = 'memory' | 'whole' | 'break' | 'writer' | 'half-close' | 'socket'

type Answer<T> = T | Promise<T>
type CallOptions = Pick<ReadOptions, 'timeoutMs' | 'limit'>

/** The reader as every transport has it. What a blocking reader answers comes from its thread, hence later. */
export interface PlainReader {
  read(n?: number, options?: CallOptions): Promise<Buffer>
  readExactly(n: number, options?: CallOptions): Promise<Buffer>
  readUntil(separator?: Separator | readonly Separator[], options?: CallOptions): Promise<Buffer>
  readLine(options?: CallOptions): Promise<Buffer>
  peek(n: number, options?: CallOptions): Promise<Buffer>
  atEof(): Answer<boolean>
  exception(): Answer<Error | null>
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

export type WriterLink = Link & { readonly writer: StreamWriter; readonly peer: Peer }

export type OpenOptions = { readonly limit?: number }

export interface Transport {
  readonly name: string
  readonly traits: ReadonlySet<Trait>
  /** A fresh stream, which closes with the test. */
  open(options?: OpenOptions): Promise<Link>
}

export type Case = {
  /** Begins with the name of the test it mirrors, where there is one. */
  readonly title: string
  readonly needs: readonly Trait[]
  run(transport: Transport): Promise<void>
}
