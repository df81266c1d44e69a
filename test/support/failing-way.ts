/** A TCP proxy that stands between a client and a service, and can be told to fail them. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class FailingWay {
  /** Connections that were cut so far. */
  cuts = 0
  readonly #server: Server
  readonly #pairs = new Map<Socket, Socket>()
  /** Bytes of both directions of a connection after which it is cut; Infinity: never. */
  #nextCut: () => number = () => Number.POSITIVE_INFINITY
  #isRefusing = false

  private constructor(targetPort: number) {
    this.#server = createServer({ noDelay: true }, inner => this.#join(inner, targetPort))
  }

  static async start(targetPort: number): Promise<FailingWay> {
    const proxy = new FailingWay(targetPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From now on each new connection is reset after as many bytes as this says. */
  cutAfter(bytes: () => number): void {
    this.#nextCut = bytes
  }

  /** Cuts all there are, and resets what comes until it is told otherwise. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
    if (isRefusing) this.cutAll()
  }

  cutAll(): void {
    for (const [inner, outer] of this.#pairs) this.#cut(inner, outer)
  }

  async close(): Promise<void> {
    this.cutAll()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(inner: Socket, targetPort: number): void {
    inner.on('error', () => 'it is cut')
    if (this.#isRefusing) return void inner.resetAndDestroy()
    const outer = connect({ port: targetPort, host: '127.0.0.1', noDelay: true })
    outer.on('error', () => 'it is cut')
    this.#pairs.set(inner, outer)
    let left = this.#nextCut()
    const pass = (from: Socket, to: Socket): void => {
      from.on('data', (bytes: Buffer) => {
        const part = bytes.subarray(0, left)
        left -= part.length
        if (!to.write(part)) {
          from.pause()
          to.once('drain', () => from.resume())
        }
        if (part.length < bytes.length) this.#cut(inner, outer)
      })
      from.on('end', () => to.end())
      from.on('close', () => {
        this.#pairs.delete(inner)
        to.destroySoon()
      })
    }
    pass(inner, outer)
    pass(outer, inner)
  }

  /** What has come this far goes through, or some of it: as a cable does. */
  #cut(inner: Socket, outer: Socket): void {
    if (!this.#pairs.delete(inner)) return
    this.cuts++
    inner.resetAndDestroy()
    outer.resetAndDestroy()
  }
}
