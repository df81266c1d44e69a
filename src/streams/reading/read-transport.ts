/** What feeds a reader over memory and can be told to stop for a while. Source: asyncio.ReadTransport. */
export interface ReadTransport {
  /** More than twice the reader's limit is buffered: feed no more. */
  pauseReading(): void
  /** At most the limit is buffered, or a read waits for more than there is: feed again. */
  resumeReading(): void
}
