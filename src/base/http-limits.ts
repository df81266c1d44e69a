/** The bounds of the HTTP side. They are a part of LIMITS, by which name everybody reads them. */
export const HTTP_LIMITS = {
  /**
   * JSON of a request: levels of nesting; lists, objects and fields together; values of lists; bytes outside of texts. No
   * route takes more than a few of the first two, and a large body is one large text or many lines. JSON.parse takes 16
   * MiB of text in 20 ms, and the same bytes of empty objects in a second and 350 MB of heap.
   */
  jsonDepthMax: 64,
  jsonPartsMax: 10_000,
  jsonValuesMax: 1_000_000,
  jsonBareBytesMax: 4_194_304,
  /**
   * Bytes of all large bodies and answers that go through one turn of the event loop: a millisecond's work; and of a piece
   * of an answer that is sent by turns, for which it must be worth a stream.
   */
  httpBytesPerTurn: 524_288,
  answerPieceBytes: 131_072,
  pacedAnswerBytesMin: 524_288,
  /**
   * Bytes of bodies and of answers that wait to be sent, held in memory for one token: so many of the largest bodies, and
   * never fewer bytes than the floor; and how many tokens' bounds the whole service has. Less than the smallest counted
   * one is left to the kernel's own buffers.
   */
  heldBodiesMax: 8,
  heldBytesFloor: 67_108_864,
  heldTokensMax: 4,
  heldBytesMin: 65_536,
  /** Bytes of an answer that are worth a copy for being sent with their headers: as many as Node keeps on its stack for a write. */
  answerTextBytesMax: 16_384,
  /**
   * Bytes of large bodies and answers after which a thread that has fallen quiet collects its garbage, and milliseconds in
   * which its event loop may not have been busy for more than that share: some light calls are no reason to wait.
   */
  quietCollectionBytes: 67_108_864,
  /** Bytes that one dial counts as: by so many the heap of an I/O worker grows for each in a burst. */
  quietCollectionDialBytes: 32_768,
  quietCollectionMs: 5_000,
  quietCollectionBusyMax: 0.2,
  /**
   * Answers, however small, that come to the same: so many leave tens of MiB behind. Their callers have to be gone, though,
   * which is when no more than that come between two looks: who makes light calls all day would feel each collection, and
   * V8 keeps up with them.
   */
  quietCollectionCalls: 5_000,
  quietCollectionCallsLeft: 25,
  /** Calls of one lease that wait for those before them; a caller has one under way, and a few repeats of it. */
  callTurnsMax: 1_024,
  /** HTTP: requests on one connection, bytes of its headers, milliseconds until they are complete. */
  httpRequestsPerSocketMax: 1_000,
  httpHeaderBytesMax: 8_192,
  /** The same where one thread relays a request to another, which adds what it knows of the client. */
  relayHeaderBytesMax: 16_384,
  /** Milliseconds that a connection between two threads may idle: less than an HTTP connection may. */
  relayIdleMs: 30_000,
  /** Connections between two threads that the kernel keeps until they are accepted: all may come in one turn. */
  relayBacklog: 4_096,
  /** Bytes of a tunnel on their way from one thread to another: four reads of a socket, so that neither thread waits. */
  relayWindowBytes: 262_144,
  httpHeadersTimeoutMs: 10_000,
  /** Milliseconds between two looks for connections whose headers are late: 15 s hold with room to spare. */
  httpCheckIntervalMs: 2_000,
  /** HTTP connections at once: one for each lease of the default, and as many again to steer and to look. */
  httpConnectionsMax: 20_000,
  /** HTTP connections that those without a token always find a place among: probes, and callers' first requests. */
  httpUnknownPlaces: 64,
  /**
   * Descriptors that neither HTTP nor the dials may take: Node's own, files, DNS, what a starting thread reads; those that
   * each thread's event loop has; and what each side has at the least, whatever the limit.
   */
  descriptorsKept: 64,
  descriptorsPerThread: 8,
  descriptorShareMin: 16,
  /** Requests that one connection sends ahead of their answers before the service stops reading from it. */
  httpPipelinedMax: 32,
  /**
   * Milliseconds between two looks at a large answer, of which the second cuts a client that has taken none of it: a client
   * stands still for 15 to 30 s, as long as a body may keep the service waiting.
   */
  httpAnswerStallMs: 15_000,
  /**
   * After an answer that came before the body was read: milliseconds in all and of silence, and bytes, that are read and
   * dropped, so that a client which sends all before it reads sees the answer. Four of the largest bodies by default.
   */
  httpLingerMs: 30_000,
  httpLingerSilenceMs: 5_000,
  httpLingerBytes: 67_108_864,
  /** Milliseconds a client has to read an answer to what is no request, after which its connection is cut. */
  httpRefusalLingerMs: 1_000,
  /** Milliseconds until a closing service cuts the connections of requests that are still under way. */
  httpCloseMs: 2_000,
  /** Seconds for which a browser may keep the answer to what it asked ahead of a request: a change of origins is soon known. */
  corsMaxAgeSeconds: 600,
  /** Milliseconds after which a request that does not wait by nature is one to be logged. */
  slowRequestMs: 1_000,
  /**
   * A stream over WebSocket: bytes that go out as one message. Characters of a text, which says what to do and carries no
   * payload.
   */
  streamPieceBytes: 65_536,
  streamTextCharsMax: 1_024,
  /** Milliseconds between two pings, of silence after which a client is gone, and between two looks at it. */
  streamPingMs: 15_000,
  streamSilenceMs: 30_000,
  streamLookMs: 5_000,
  /**
   * Milliseconds that a client has to answer a close before its connection is cut; and, where all has ended, to say that it has
   * the last bytes.
   */
  streamCloseMs: 5_000,
  streamLastWordMs: 2_000,
  /**
   * Bytes of an answer without an end that wait for its client; of lines that were sent as events, kept for a client that
   * comes again, and how many lines.
   */
  outStreamBytes: 16_384,
  sentLinesBytes: 65_536,
  sentLinesMax: 1_024,
  /**
   * Events that wait for one who follows them, and those of the past that are kept for one who comes again; milliseconds for
   * which they are gathered after the last has left.
   */
  eventsWaitingMax: 1_024,
  eventsKeptMax: 1_024,
  eventsGatherMs: 30_000,
  /**
   * Calls that another instance answers: milliseconds that it has to accept a connection, which within one network takes
   * one or two; that a connection to it may idle, less than it allows; that are left to tell the caller of an owner which says
   * nothing, before the caller's own connection is cut for its silence; and of silence on a stream, four of its pings.
   */
  forwardedConnectMs: 2_000,
  forwardedIdleMs: 30_000,
  forwardedGraceMs: 5_000,
  forwardedStreamSilenceMs: 60_000,
  /** Such calls at once, each of which holds a connection on either side; connections to one instance that are kept idle. */
  forwardedCallsMax: 4_096,
  forwardedIdleMax: 64,
  /** Bytes of headers in a fleet: another instance adds to what its caller has sent who it is, and whom it knows. */
  forwardedHeaderBytesMax: 9_216,
  /**
   * Milliseconds by which the clocks of two instances may differ, and by which its word on a caller may be late; such words
   * that are remembered, of which none holds twice: a thousand calls a second for as long as one holds.
   */
  forwardedSkewMs: 30_000,
  forwardedNoncesMax: 65_536,
  /** Milliseconds an HTTP connection may idle between two requests. */
  httpKeepAliveMs: 72_000,
} as const
