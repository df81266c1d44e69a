/** Who has a seat at a desk, as its connection knows it: it hears of the bytes in the place of the ring. */
export interface Seated {
  /** Bytes came, which are the desk's for the time of the call; false pauses the socket. */
  received(bytes: Buffer): boolean
  /** More is asked of the connection than to carry messages, or its peer has ended: it leaves the desk in this very call. */
  stray(): void
  /** It is about to end. */
  parted(): void
}
