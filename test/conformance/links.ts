/** How cases open what they need, and what they ask of it again and again. */
import type { StreamReader } from '../../src/streams/reading/stream-reader.ts'
import type { StreamWriter } from '../../src/streams/writing/stream-writer.ts'
import type { Case, Link, OpenOptions, Trait, Transport, WriterLink } from './transport.ts'

export function testCase(title: string, needs: readonly Trait[], run: Case['run']): Case {
  return { title, needs, run }
}

/** A link that holds these bytes. */
export async function holding(transport: Transport, text: string, options?: OpenOptions): Promise<Link> {
  const link = await transport.open(options)
  if (text !== '') await link.arrive(text)
  return link
}

/** As `holding`, for cases with the trait `async`. */
export async function asyncLink(
  transport: Transport,
  text = '',
  options?: OpenOptions,
): Promise<Link<StreamReader>> {
  return (await holding(transport, text, options)) as Link<StreamReader>
}

/** For cases with the trait `writer`. */
export async function writerLink(transport: Transport, options?: OpenOptions): Promise<WriterLink> {
  return (await transport.open(options)) as WriterLink
}

/** For cases with the traits `async` and `writer`. */
export async function asyncWriterLink(transport: Transport): Promise<WriterLink<StreamReader, StreamWriter>> {
  return (await transport.open()) as WriterLink<StreamReader, StreamWriter>
}

export async function asText(reading: Promise<Buffer>): Promise<string> {
  return (await reading).toString('latin1')
}

/** The error that a promise rejects with; fails where it resolves. */
export function rejected(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    value => {
      throw new Error(`resolved with ${String(value)}`)
    },
    (error: Error) => error,
  )
}

/** The error of a call, thrown here or in the thread that made it. */
export function failed(call: () => unknown): Promise<Error> {
  return rejected((async () => await call())())
}

/** Whether it is settled once this thread has done all it had to do. */
export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const marker = Symbol('pending')
  const turn = new Promise(resolve => setImmediate(resolve, marker))
  const outcome = await Promise.race([promise.catch(error => error), turn])
  return outcome !== marker
}
