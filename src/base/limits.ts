/**
 * Every bound of the system in one place, each with its unit and its reason. What an operator may change has
 * its default here and its name in the config schema; the rest is fixed.
 */
export const LIMITS = {
  /** Bytes. asyncio's default limit of a StreamReader. */
  readerLimitBytes: 65_536,
  /** Bytes that `unread` may put back at a time: it undoes a look ahead, a buffer for more is its caller's. */
  unreadBytesMax: 1_048_576,
  /** Lines that one batch of `lineBatches` holds at the most. */
  lineBatchMax: 1_024,
  /** Separators in one `readUntil`; a larger set is a parser's work. */
  separatorsMax: 16,
  /** Bytes of one separator; the scan re-reads at most this much at a chunk's border. */
  separatorBytesMax: 64,
  /** Bytes. asyncio's write watermarks on a plain socket. */
  writeHighWaterBytes: 65_536,
  writeLowWaterBytes: 16_384,
  /** Bytes a writer keeps beyond its ring before `write` throws WRITE_OVERFLOW. */
  writeBufferedBytesMax: 67_108_864,
  /** Bytes of an inbound ring: the replay window, and room for reads while the holder's thread wakes up. */
  inboundRingBytes: 262_144,
  /**
   * Bytes of a wide ring, which an inbound direction moves to that fills its own and has it emptied again and again; and
   * how many a slab has. A wake of another thread takes as long as 256 KiB take to copy; in 4 MiB it is lost.
   */
  wideRingBytes: 4_194_304,
  wideRingsPerSlab: 4,
  /** Bytes of a ring that a pool may be told to make: with its slab's others it fits one allocation. */
  ringBytesMax: 16_777_216,
  /** Bytes of an outbound ring: asyncio's high water mark fits whole. */
  outboundRingBytes: 65_536,
  /** Bytes. Smaller reads go through the worker's scratch buffer: copying them costs less than a view of the ring. */
  directReadBytesMin: 4_096,
  /** Milliseconds a closing connection may take to send its last bytes to a peer that does not read. */
  closeLingerMs: 10_000,
  /** Milliseconds that a release over HTTP waits for the last bytes to be sent; their sending goes on without its caller. */
  releaseAnswerMs: 1_000,
  /** Bytes a closing connection reads and drops, as unread ones would turn its close into a reset; then no more. */
  closeDropBytes: 1_048_576,
  /** Bytes behind the read position that a lease with offsets keeps readable. */
  replayWindowBytes: 65_536,
  /** Bytes. The largest read that libuv hands over at once; also the spill that TLS may force upon us. */
  kernelReadBytes: 65_536,
  /** Channels in one slab: one allocation and one message for so many connections. */
  channelsPerSlab: 64,
  /** Channels of one pool: the doorbell's bitmap has one bit for each. */
  channelsMax: 65_536,
  /** Milliseconds between two looks at missed doorbells, deaths, idle connections and heartbeats. */
  sweepIntervalMs: 1_000,
  /** Connections a listener's kernel queue holds, as asyncio's backlog. */
  listenBacklog: 100,
  /** Accepted connections of one listener that may wait to be adopted, or for their TLS handshake. */
  incomingMax: 1_024,
  /** Milliseconds after which a handshake gives its place to a newcomer, where too many are under way: it is no honest one. */
  handshakeYieldMs: 5_000,
  /** Milliseconds a TLS handshake may take on a connection that is there already, as asyncio's. */
  tlsHandshakeTimeoutMs: 60_000,
  /** Milliseconds more that the I/O worker gives a handshake: its caller's own clock is to end it first. */
  tlsHandshakeGraceMs: 1_000,
  /** Names and addresses that one server may listen on. */
  listenHostsMax: 64,
  /** TLS contexts that an I/O worker keeps built: more than a service has targets. */
  secureContextsMax: 256,
  /** Milliseconds until TCP keepalive first asks after a silent peer. */
  keepAliveDelayMs: 60_000,
  /** Empty turns of its event loop after which a thread stops polling its doorbell and sleeps. */
  ioLingerTurns: 0,
  poolLingerTurns: 0,
  /** Milliseconds an I/O worker may take to end by itself. */
  workerStopMs: 2_000,
  /**
   * Milliseconds after which a ring that nobody announced counts as missed. It is longer than an overloaded machine, or
   * a container's CPU quota, keeps a thread from the announcement that it owes.
   */
  missedConfirmMs: 500,
  /** Milliseconds a silent I/O worker is suspect (unready), then terminated. */
  heartbeatSuspectMs: 2_000,
  heartbeatDeadMs: 10_000,
  /** Milliseconds between the deaths and rebirths of I/O workers, doubling from the first to the last. */
  restartBackoffFirstMs: 10,
  restartBackoffLastMs: 1_000,
  /** Milliseconds that a worker must have lived for its death not to count as one in a row. */
  restartForgetMs: 60_000,
  /** Milliseconds between failed dials that nobody waits for (the warm minimum), doubling, with full jitter. */
  dialBackoffFirstMs: 10,
  dialBackoffLastMs: 5_000,
  /** Milliseconds without use after which a target that a caller described is forgotten. */
  describedIdleMs: 10_000,
  /** Milliseconds a lease's tombstone says why it is gone before it is forgotten. */
  tombstoneMs: 600_000,
  /** Tombstones kept at the most; the oldest goes first. */
  tombstonesMax: 100_000,
  /** Steps of one dialog. */
  dialogStepsMax: 64,
  /** Milliseconds a whole dialog may take on a connection at release or at connect. */
  dialogTimeoutMs: 5_000,
  /** Ad-hoc and named target pools alive at once; an idle one goes first. */
  targetPoolsMax: 10_000,
  /**
   * Parse: nesting; elements of one value, which cost memory as values and none as text; bytes of a string, which is all
   * that Node can hold. Bytes in are bounded as request bodies are, DEFAULTS.bodyBytesMax.
   */
  parseDepthMax: 64,
  parseElementsMax: 1_000_000,
  parseStringBytesMax: 536_870_888,
  /** Parts of a value that one thread hands to another at a time: that many take a few milliseconds to clone. */
  cloneValuesMax: 8_192,
  /** Bytes of a JSON body that carries no payload: a target with its CA certificates fits. */
  controlBodyBytesMax: 262_144,
  /**
   * JSON of a request: levels of nesting; lists, objects and fields together; values of lists; bytes outside of texts. No
   * route takes more than a few of the first two, and a large body is one large text or many lines. JSON.parse takes 16
   * MiB of text in 20 ms, and the same bytes of empty objects in a second and 350 MB of heap.
   */
  jsonDepthMax: 64,
  jsonPartsMax: 10_000,
  jsonValuesMax: 1_000_000,
  jsonBareBytesMax: 4_194_304,
  /** Texts of `writelines` that become bytes in one turn of the event loop: a millisecond or two. */
  textsPerTurn: 8_192,
  /** Fields that one problem names as wrong, characters of a field's name, and characters of a detail: no echo. */
  fieldErrorsMax: 8,
  fieldNameCharsMax: 100,
  problemDetailCharsMax: 4_096,
  /** Milliseconds a request body may keep us waiting in all, and the bytes per second that buy it more. */
  bodyWaitMs: 30_000,
  bodyRateBytesPerSecond: 1_024,
  /** Milliseconds of a ttl or of a wait for a lease that a caller may ask for: a day, ten minutes. */
  leaseTtlMsMax: 86_400_000,
  leaseWaitMsMax: 600_000,
  /** Requests per second, and at once, that a token's limit may name; a higher one is none. */
  requestRateMax: 1_000_000,
  /** Idempotency keys of one length; longer ones are not keys but payload. */
  idempotencyKeyCharsMax: 255,
  /**
   * Bytes of bodies and of answers that wait to be sent, held in memory for one token: so many of the largest bodies, and
   * never fewer bytes than the floor; and how many tokens' bounds the whole service has. Less than the smallest counted
   * one is left to the kernel's own buffers.
   */
  heldBodiesMax: 8,
  heldBytesFloor: 67_108_864,
  heldTokensMax: 4,
  heldBytesMin: 65_536,
  /** HTTP: requests on one connection, bytes of its headers, milliseconds until they are complete. */
  httpRequestsPerSocketMax: 1_000,
  httpHeaderBytesMax: 8_192,
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
  /** Milliseconds an HTTP connection may idle between two requests. */
  httpKeepAliveMs: 72_000,
  /** Parse tasks that may wait for a thread, and bytes that came with them: sixteen bodies of the default bound. */
  parseQueueMax: 1_000,
  parseQueueBytesMax: 268_435_456,
  /**
   * Milliseconds that a parse thread blocks on a peer that sends nothing while nobody else wants the thread; then it is
   * free, and may end. Where somebody does want it, a borrower that blocks gives its reader back at once.
   */
  parsePatienceMs: 2_000,
  /**
   * Of a message that comes in bits: a thread looks again once a sixteenth of the time has passed in which it has not
   * become whole, and after so many milliseconds at the most; or once a millisecond has passed for so many bytes that were
   * set aside, as those are copied for it. So bits cost little, and a whole message waits little.
   */
  parsePauseShare: 16,
  parsePauseMs: 100,
  parsePauseBytesPerMs: 65_536,
  /** Milliseconds after a live parse's own deadline until its thread is ended: time to give the reader back. */
  parseGraceMs: 200,
  /** Bytes that a slow thread parses in a millisecond: that time is longer by what the largest message takes. */
  parseBytesPerMs: 8_192,
  /** Milliseconds until a parse thread without work ends; starting one costs some 50. */
  parseIdleMs: 30_000,
  /** Milliseconds that closing waits for running parse tasks before it ends their threads. */
  parseCloseMs: 1_000,
  /** MiB of heap of a thread that decodes bytes: sixteen times the default bound of its input, and a bomb ends alone. */
  parseHeapMiB: 256,
  /** Requests on one connection that wait for an answer of a form of its own (to HEAD, to SSLRequest): no pipeline has more. */
  frameFormsMax: 4_096,
  /** Bytes of one line of an HTTP message, as many as Node takes for a whole head; of all the fields of a head, for cookies. */
  frameHttpLineBytesMax: 16_384,
  frameHttpFieldsBytesMax: 65_536,
  /** Digits of a Content-Length or a chunk's size: 64 bits in hexadecimal. A longer number hides another behind its zeros. */
  frameHttpDigitsMax: 16,
  /** Bytes of one line of an SMTP reply: a challenge of AUTH may have 12,288 (RFC 4954), whatever else may have 512. */
  frameSmtpLineBytesMax: 16_384,
  /** Bytes of a start-up packet, as PostgreSQL itself takes. */
  framePostgresStartupBytesMax: 10_000,
  /** Rules of one access list and addresses denied beside it; both are scanned at every dial. */
  egressRulesMax: 1_000,
  egressDeniedMax: 10_000,
  /** Records of one DNS answer; a longer one is no service's but a way around the judge. */
  dnsRecordsMax: 16,
  /** Milliseconds and tries of one DNS query, milliseconds of a whole lookup however many servers there are. */
  dnsQueryTimeoutMs: 1_500,
  dnsTries: 2,
  dnsLookupTimeoutMs: 5_000,
  /** Milliseconds a failed name is not asked again, and how many such names are kept; the oldest goes first. */
  dnsNegativeMs: 1_000,
  dnsNegativeEntriesMax: 1_024,
  /** DNS lookups in flight: of one thread, of one tenant, and how many may wait for their turn. */
  dnsLookupsMax: 256,
  dnsLookupsPerTenantMax: 32,
  dnsWaitersMax: 1_000,
  /**
   * Lookups by the operating system at once: each holds one of the libuv threads that all workers share, four by default, of
   * which libuv gives lookups two. And those beside them that have taken too long, and hold no other name's place.
   */
  osLookupsMax: 2,
  osSlowLookupsMax: 6,
  /** Milliseconds until the system's lookup has company, which is longer than a near DNS server takes; until it is slow. */
  osLookupPatienceMs: 250,
  osLookupSlowMs: 500,
  /** Search domains of resolv.conf that are tried; characters of it, and of the hosts file, that are read. */
  dnsSearchDomainsMax: 16,
  systemFileCharsMax: 1_048_576,
  /** Milliseconds. The longest that a timer of Node can wait; a longer time is as good as this one. */
  timerMsMax: 2_147_483_647,
  /** Milliseconds. 24 days: beyond 24.8 a timer of Node would fire at once. */
  durationMsMax: 2_073_600_000,
  /** Bytes a size in the config may name: bodies of this bound are held in memory whole. */
  configBytesMax: 1_073_741_824,
  /** Threads of one kind: more than any machine has cores for. */
  workersMax: 256,
  /** Threads attached to one pool at once: as workersMax, and each makes every I/O worker keep a doorbell. */
  attachedThreadsMax: 256,
  /** Milliseconds an attaching thread waits for the pool's thread to say welcome: it may be busy, but not for long. */
  attachTimeoutMs: 10_000,
  /** Milliseconds without a beat of the pool's thread after which a blocked thread takes it for dead. */
  poolSilenceMs: 30_000,
  /** Callers that may queue for a lease; each costs memory while it waits. */
  waitersMax: 1_000_000,
  /** Bytes of log lines that wait for a reader of stderr: some thousand lines; beyond it lines are dropped and counted. */
  logWaitingBytesMax: 1_048_576,
  /** Milliseconds until a terminal that was stopped is tried again. */
  logRetryMs: 50,
  /** Milliseconds that the end of the process waits for the log's reader. */
  logFlushMs: 500,
  /** Milliseconds that `serve --demo` waits for held leases at its end: nobody's work hangs on a demo. */
  demoDrainMs: 2_000,
  /** Milliseconds in which a second, equal signal is an echo: npm passes on what the terminal sent to all. */
  signalEchoMs: 250,
  /** Milliseconds between two looks whether the npm that started this process is still there. */
  parentLookMs: 250,
  /** Bytes of a config or token file: it is read whole, and a device or a log is not a config. */
  configFileBytesMax: 4_194_304,
  /** Certificates of one PEM text, twice a platform's own; texts whose judgement is kept, as callers send the same again. */
  pemBlocksMax: 512,
  pemTextsKept: 32,
} as const

/** What a config file may change, with its default. Durations in milliseconds, sizes in bytes. */
export const DEFAULTS = {
  listenHost: '127.0.0.1',
  listenPort: 7070,
  leasesMax: 10_000,
  waitersMax: 10_000,
  /** Bytes: of a request body in memory, of a reply read to its end, of what a parse takes in, complete or as one message. */
  bodyBytesMax: 16_777_216,
  operationTimeoutMs: 30_000,
  drainTimeoutMs: 30_000,
  poolMin: 0,
  poolMax: 10,
  idleTimeoutMs: 600_000,
  maxLifetimeMs: 1_800_000,
  waitTimeoutMs: 30_000,
  leaseTtlMs: 60_000,
  connectTimeoutMs: 10_000,
  parseWorkers: 1,
  httpThreads: 1,
} as const
