/**
 * A client of a forward and the connection that it was lent, joined in the thread in which both live: what comes on the
 * one goes out on the other, and no byte leaves the thread.
 *
 *   client ──data──► (requests counted) ──► connection        a side that takes nothing pauses the other
 *   client ◄──────── (answers counted) ◄──── connection       an end of one is passed on behind its last byte
 *
 *   joined ──the client ends──► its FIN is passed on, or, where the target's messages prove that nothing is owed, the
 *     │                         connection is freed for the next one
 *     ├──the target ends──► its FIN is passed on, and the client may still send
 *     └──either fails, or is silent for too long once half is ended──► both are reset
 *
 * Reads of the connection land in the thread's scratch buffer and are copied out; while they are large the pair has a
 * buffer of its own, which is given away with a write that the kernel does not take at once.
 */

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { breakOff } from '../../../src/base/break-off.ts'
import type { FaultGuard } from '../../../src/base/fault-guard.ts'
import { LIMITS } from '../../../src/base/limits.ts'
import type { PeerEnd } from '../../../src/channel/values.ts'
import type { Vitals } from '../../../src/channel/vitals.ts'
import type { SpliceTerms } from '../../../src/threads/protocol.ts'
import type { MessageBalance } from '../message-balance.ts'
import type { HandedClient } from './waiting-client.ts'

export type SpliceDeps = {
  readonly client: HandedClient
  /** The connection's, TLS included. */
  readonly socket: Socket
  readonly terms: SpliceTerms
  /** Null where no messages are counted. */
  readonly balance: MessageBalance | null
  /** The target has a dialog that shows at a release that the connection is at rest. */
  readonly hasDialog: boolean
  readonly vitals: Vitals
  /** One buffer per worker: a read is over before the next one begins. */
  readonly scratch: Buffer
  readonly guard: FaultGuard
  /** The client has gone, and nothing speaks against the connection. */
  readonly onFreed: () => void
  /** The connection is to end at once. */
  readonly onCut: () => void
  /** They are joined no more, and the connection is not free. */
  readonly onLost: () => void
  /** Milliseconds of silence after which a half-ended pair is cut; default: LIMITS.spliceHalfOpenMs. */
  readonly halfOpenMs?: number | undefined
}

/** A pair, as its connection knows it. */
export interface SpliceUnderWay {
  /** The buffer for the connection's next read, never empty. */
  nextBuffer(): Buffer
  /** `count` bytes came on the connection; false pauses it. */
  received(count: number, buffer: Uint8Array): boolean
  /** The target has ended its direction. */
  ended(how: PeerEnd): void
  /** The connection is no longer joined: it has ended, or is about to. */
  parted(): void
  /** Both sides have ended in order. */
  readonly isOver: boolean
}

export class Splice implements SpliceUnderWay {
  /** Bytes that came from the target, and went to it. */
  bytesIn = 0
  bytesOut = 0
  readonly #deps: SpliceDeps
  readonly #client: Socket
  readonly #socket: Socket
  #own: Buffer | null = null
  #readsLarge = false
  /** The client sent the last byte that passed. */
  #isAsking = false
  #hasAsked = false
  /** The target spoke first: the next client would miss its greeting. */
  #hasGreeted = false
  #clientEnd: 'open' | 'ended' = 'open'
  #targetEnd: 'open' | PeerEnd = 'open'
  #isParted = false
  /** The target's end was none that the client may hear of as one. */
  #isCutting = false
  #silence: NodeJS.Timeout | null = null
  readonly #onData: (bytes: Buffer) => void
  readonly #onClientEnd: () => void
  readonly #onClientClose: (hadError: boolean) => void
  readonly #onClientDrain: () => void
  readonly #onTargetDrain: () => void

  constructor(deps: SpliceDeps) {
    const { client, socket, guard } = deps
    this.#deps = deps
    this.#client = client.socket
    this.#socket = socket
    this.#onData = guard.action(bytes => this.#sent(bytes))
    this.#onClientEnd = guard.action(() => this.#clientEnded())
    this.#onClientClose = guard.action(hadError => this.#clientClosed(hadError))
    this.#onClientDrain = guard.action(() => void this.#socket.resume())
    this.#onTargetDrain = guard.action(() => void this.#client.resume())
  }

  /** Joins the two; to be called once the connection's bytes come here. */
  begin(): void {
    const { early, hasEnded, socket } = this.#deps.client
    // Nothing was said for it: where nothing was said to it either, the connection is as it was.
    if (socket.destroyed) return this.#hasGreeted ? this.#cut() : this.#free()
    socket.on('data', this.#onData).on('end', this.#onClientEnd).on('close', this.#onClientClose)
    socket.on('drain', this.#onClientDrain)
    this.#socket.on('drain', this.#onTargetDrain)
    for (const bytes of early) this.#sent(bytes)
    if (hasEnded) return this.#clientEnded()
    if (!this.#socket.writableNeedDrain) socket.resume()
  }

  get isOver(): boolean {
    return this.#clientEnd === 'ended' && this.#targetEnd !== 'open'
  }

  nextBuffer(): Buffer {
    if (!this.#readsLarge) return this.#deps.scratch
    this.#own ??= Buffer.allocUnsafeSlow(LIMITS.kernelReadBytes)
    return this.#own
  }

  received(count: number, buffer: Uint8Array): boolean {
    this.bytesIn += count
    this.#isAsking = false
    if (!this.#hasAsked) this.#hasGreeted = true
    this.#deps.balance?.received(buffer, count)
    this.#readsLarge = count >= LIMITS.spliceOwnBytesMin
    if (this.#client.destroyed) return false
    const isOwn = this.#own !== null && buffer.buffer === this.#own.buffer
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, count)
    const flows = this.#client.write(isOwn ? bytes : Buffer.from(bytes))
    // What the kernel has not taken yet still lies in the buffer.
    if (isOwn && this.#client.writableLength > 0) this.#own = null
    return flows
  }

  ended(how: PeerEnd): void {
    if (this.#targetEnd !== 'open') return
    this.#targetEnd = how
    if (how === 'truncated' && !this.#deps.terms.allowTruncated) return this.#cutWhenSent()
    this.#client.end()
    // TLS has no half-close: what the client still sends, nobody takes.
    if (this.#socket instanceof TLSSocket) this.#socket.end()
    this.#watchSilence()
  }

  parted(): void {
    if (this.#isParted) return
    this.#detach()
    this.#deps.onLost()
    if (this.#targetEnd === 'open' || this.#isCutting) return breakOff(this.#client)
    // An orderly end has been passed on, and its last bytes may still be on their way.
    const client = this.#client
    const bound = setTimeout(() => client.destroy(), LIMITS.closeLingerMs).unref()
    client.once('close', () => clearTimeout(bound))
  }

  #sent(bytes: Buffer): void {
    if (this.#isParted || this.#socket.writableEnded) return
    this.bytesOut += bytes.length
    this.#isAsking = true
    this.#hasAsked = true
    // Before the socket has them, so that no answer comes before its request is known.
    this.#deps.balance?.sent(bytes)
    this.#deps.vitals.count('bytesOut', bytes.length)
    if (!this.#socket.write(bytes)) this.#client.pause()
  }

  #clientEnded(): void {
    if (this.#isParted) return
    this.#clientEnd = 'ended'
    if (this.#isProven()) return this.#free()
    this.#socket.end()
    this.#watchSilence()
  }

  /** Whether nothing is owed to anybody: a client that has ended can be waiting for nothing, and the next finds all as it was. */
  #isProven(): boolean {
    const { terms, balance, hasDialog } = this.#deps
    if (!terms.reuses || this.#targetEnd !== 'open' || this.#hasGreeted) return false
    if (this.#socket.writableLength > 0 || this.#client.writableLength > 0) return false
    return balance === null ? hasDialog && !this.#isAsking : balance.against(hasDialog) === null
  }

  #free(): void {
    this.#detach()
    if (!this.#client.destroyed) this.#client.end()
    this.#socket.resume()
    this.#deps.onFreed()
  }

  #clientClosed(hadError: boolean): void {
    if (this.#isParted) return
    if (hadError || !this.isOver) this.#cut()
  }

  #cut(): void {
    if (this.#isParted) return
    this.#detach()
    breakOff(this.#client)
    breakOff(this.#socket)
    this.#deps.onLost()
    this.#deps.onCut()
  }

  /** The client gets what came, and then no end that it could take for one. */
  #cutWhenSent(): void {
    const client = this.#client
    this.#isCutting = true
    if (client.destroyed) return this.#cut()
    client.write(
      '',
      this.#deps.guard.action(() => this.#cut()),
    )
  }

  #detach(): void {
    this.#isParted = true
    if (this.#silence !== null) clearTimeout(this.#silence)
    this.#client.off('data', this.#onData).off('end', this.#onClientEnd).off('close', this.#onClientClose)
    this.#client.off('drain', this.#onClientDrain)
    this.#socket.off('drain', this.#onTargetDrain)
    // What it still sends is dropped, or it would never be seen to end.
    this.#client.resume()
  }

  #watchSilence(): void {
    if (this.#silence !== null || this.isOver) return
    const moved = this.bytesIn + this.bytesOut
    const look = this.#deps.guard.action(() => {
      this.#silence = null
      if (this.#isParted) return
      if (moved === this.bytesIn + this.bytesOut) this.#cut()
      else this.#watchSilence()
    })
    this.#silence = setTimeout(look, this.#deps.halfOpenMs ?? LIMITS.spliceHalfOpenMs)
  }
}
