/**
 * The bounds of the two ends of a stream, and of what their holders may ask for: they hold wherever a program has them, in
 * process and at the far end of HTTP, so that the client for browsers brings these along and no others. They are a part of
 * LIMITS, by which name everything reads them that no client needs.
 */
export const END_LIMITS = {
  /** Bytes. asyncio's default limit of a StreamReader. */
  readerLimitBytes: 65_536,
  /** Bytes that `unread` may put back at a time: it undoes a look ahead, a buffer for more is its caller's. */
  unreadBytesMax: 1_048_576,
  /** Lines that one batch of `lineBatches` holds at the most. */
  lineBatchMax: 1_024,
  /** Messages that one exchange reads together: a pipeline's answers, which are held in memory. */
  exchangeMessagesMax: 10_000,
  /** Separators in one `readUntil`; a larger set is a parser's work. */
  separatorsMax: 16,
  /** Bytes of one separator; the scan re-reads at most this much at a chunk's border. */
  separatorBytesMax: 64,
  /** Bytes. asyncio's write watermarks on a plain socket. */
  writeHighWaterBytes: 65_536,
  writeLowWaterBytes: 16_384,
  /** Bytes a writer keeps beyond its ring before `write` throws WRITE_OVERFLOW. */
  writeBufferedBytesMax: 67_108_864,
  /** Bytes. The largest read that libuv hands over at once; also the spill that TLS may force upon us. */
  kernelReadBytes: 65_536,
  /** Channels of one pool: the doorbell's bitmap has one bit for each. */
  channelsMax: 65_536,
  /** The weight of a tenant; a greater share than that is a target of one's own. */
  weightMax: 1_000,
  /** Milliseconds a closing connection may take to send its last bytes to a peer that does not read. */
  closeLingerMs: 10_000,
  /** Milliseconds a TLS handshake may take on a connection that is there already, as asyncio's. */
  tlsHandshakeTimeoutMs: 60_000,
  /** Milliseconds. The longest that a timer of Node can wait; a longer time is as good as this one. */
  timerMsMax: 2_147_483_647,
} as const
