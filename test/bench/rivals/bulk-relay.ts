/**
 * The rival of row `bulk` that leaves the socket to another thread and has each chunk posted, transferred. It stops
 * reading while the main thread owes it credit, as every relay must that is not to fill memory.
 */
import { connect } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

export type RelayData = { readonly port: number; readonly creditBytes: number }

export type ToRelay = { readonly kind: 'write'; readonly bytes: Uint8Array } | { readonly kind: 'credit' }

/** Credits in flight: enough that the relay does not stop while its reader keeps up. */
const CREDITS = 8

const { port, creditBytes } = workerData as RelayData
const socket = connect({ host: '127.0.0.1', port, noDelay: true })
let allowance = CREDITS * creditBytes

socket.on('connect', () => parentPort?.postMessage(new Uint8Array(0)))
socket.on('data', (chunk: Buffer<ArrayBuffer>) => {
  allowance -= chunk.length
  if (allowance <= 0) socket.pause()
  parentPort?.postMessage(chunk, [chunk.buffer])
})
parentPort?.on('message', (message: ToRelay) => {
  if (message.kind === 'write') {
    socket.write(message.bytes)
    return
  }
  allowance += creditBytes
  if (allowance > 0) socket.resume()
})
