import { CLIENT_LIMITS } from './client-limits.ts'
import { COMMAND_LIMITS } from './command-limits.ts'
import { END_LIMITS } from './end-limits.ts'
import { FLEET_LIMITS } from './fleet-limits.ts'
import { FORWARD_LIMITS } from './forward-limits.ts'
import { HTTP_LIMITS } from './http-limits.ts'
import { LISTEN_LIMITS } from './listen-limits.ts'
import { MESSAGE_LIMITS } from './message-limits.ts'
import { METRICS_LIMITS } from './metrics-limits.ts'
import { MULTIPLEX_LIMITS } from './multiplex-limits.ts'
import { PARSE_LIMITS } from './parse-limits.ts'
import { STREAM_LIMITS } from './stream-limits.ts'
import { TARGET_LIMITS } from './target-limits.ts'

const OWN_LIMITS = {
  /** Bytes of an inbound ring: room for reads while the holder's thread wakes up. */
  inboundRingBytes: 262_144,
  /**
   * Bytes of a wide ring, which an inbound direction moves to that fills its own and has it emptied again and again; and
   * how many a slab has. A wake of another thread takes as long as 256 KiB take to copy; in 4 MiB it is lost.
   */
  wideRingBytes: 4_194_304,
  wideRingsPerSlab: 4,
  /** Bytes of a ring that a pool may be told to make: with its slab's others it fits one allocation. */
  ringBytesMax: 16_777_216,
  /**
   * Bytes of an outbound ring: asyncio's high water mark fits whole, and behind it one write of as much, which whoever
   * waits for `drain` after each may do. So bytes are queued beside it, and copied twice, for none but larger writes.
   */
  outboundRingBytes: 131_072,
  /** Bytes. Smaller reads go through the worker's scratch buffer: copying them costs less than a view of the ring. */
  directReadBytesMin: 4_096,
  /** Milliseconds that a release over HTTP waits for the last bytes to be sent; their sending goes on without its caller. */
  releaseAnswerMs: 1_000,
  /** Bytes a closing connection reads and drops, as unread ones would turn its close into a reset; then no more. */
  closeDropBytes: 1_048_576,
  /**
   * Bytes before its read offset that a lease with `replay` keeps: the longest line that a reader takes by default, with
   * its separator. As many leases as there may be hold as many windows, in memory that grows with what they read.
   */
  replayWindowBytes: 65_600,
  /** Channels in one slab: one allocation and one message for so many connections. */
  channelsPerSlab: 64,
  /** Milliseconds between two looks at missed doorbells, deaths, idle connections and heartbeats. */
  sweepIntervalMs: 1_000,
  /** Connections a listener's kernel queue holds, as asyncio's backlog. */
  listenBacklog: 100,
  /** Accepted connections of one listener that may wait to be adopted, or for their TLS handshake. */
  incomingMax: 1_024,
  /** Milliseconds after which a handshake gives its place to a newcomer, where too many are under way: it is no honest one. */
  handshakeYieldMs: 5_000,
  /** Turns that a listener which is to go waits at the most for one in which nobody comes: under a flood there is none. */
  listenerLeaveTurns: 1_000,
  /** Milliseconds more that the I/O worker gives a handshake: its caller's own clock is to end it first. */
  tlsHandshakeGraceMs: 1_000,
  /** Names and addresses that one server may listen on. */
  listenHostsMax: 64,
  /** TLS contexts that an I/O worker keeps built: more than a service has targets. */
  secureContextsMax: 256,
  /** TLS sessions that an I/O worker keeps, of a few KiB each: one for each target, and for described ones of late. */
  tlsSessionsMax: 1_024,
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
  /** Milliseconds for which a start waits for its I/O workers, which take a tenth of that where the machine is busy; between two looks. */
  startReadyMs: 5_000,
  startLookMs: 5,
  /** Milliseconds a silent I/O worker is suspect (unready), then terminated. */
  heartbeatSuspectMs: 2_000,
  heartbeatDeadMs: 10_000,
  /** Milliseconds between the deaths and rebirths of I/O workers, doubling from the first to the last. */
  restartBackoffFirstMs: 10,
  restartBackoffLastMs: 1_000,
  /** Milliseconds that a worker must have lived for its death not to count as one in a row. */
  restartForgetMs: 60_000,
  /** Milliseconds a lease's tombstone says why it is gone before it is forgotten. */
  tombstoneMs: 600_000,
  /** Tombstones kept at the most; the oldest goes first. */
  tombstonesMax: 100_000,
  /** Steps of one dialog, and names that they capture under: what is captured stays in memory until its end. */
  dialogStepsMax: 64,
  dialogCapturesMax: 16,
  /** Milliseconds one step of a dialog may take, unless it says otherwise. */
  dialogStepTimeoutMs: 5_000,
  /** Bytes that one step awaits, or that come before their turn; as long as the longest line of a reader. */
  dialogStepBytesMax: 65_536,
  /** Characters of one text of a dialog, in which that many bytes can be spelt; pieces that one is made of. */
  dialogTextCharsMax: 131_072,
  dialogPiecesMax: 64,
  /** Bytes that one step sends, captures filled in. */
  dialogSendBytesMax: 1_048_576,
  /**
   * Bytes that one step looks through in all for a pattern, which is searched anew as bytes come: 65,536 in sixteen pieces,
   * or 1,400 one by one. It takes a tenth of a second.
   */
  dialogSearchBytesMax: 1_048_576,
  /** Bytes that wait for a dialog's module to read them: it may read more at a time than a step. */
  dialogModuleBytesMax: 1_048_576,
  /** Characters of a pattern, instructions of its program, and patterns that a thread keeps compiled. */
  patternCharsMax: 1_024,
  patternSizeMax: 2_000,
  patternsKept: 256,
  /** Ad-hoc and named target pools alive at once; an idle one goes first. */
  targetPoolsMax: 10_000,
  /**
   * Parse: nesting; elements of one value, which cost memory as values and none as text; bytes of a string, which is all
   * that Node can hold. Bytes in are bounded as request bodies are, DEFAULTS.bodyBytesMax.
   */
  parseDepthMax: 64,
  parseElementsMax: 1_000_000,
  parseStringBytesMax: 536_870_888,
  /** Bytes of the descriptors of Protocol Buffers, and characters of a message's name: a large set of files has half of it. */
  parseDescriptorBytesMax: 1_048_576,
  parseMessageNameCharsMax: 1_024,
  /** Bytes of a JSON body that carries no payload: a target with its CA certificates fits. */
  controlBodyBytesMax: 262_144,
  /** Texts of `writelines` that become bytes in one turn of the event loop: a millisecond or two. */
  textsPerTurn: 8_192,
  /** Fields that one problem names as wrong, characters of a field's name, and characters of a detail: no echo. */
  fieldErrorsMax: 8,
  fieldNameCharsMax: 100,
  problemDetailCharsMax: 4_096,
  /** Milliseconds a request body may keep us waiting in all, and the bytes per second that buy it more. */
  bodyWaitMs: 30_000,
  bodyRateBytesPerSecond: 1_024,
  /** Requests per second, and at once, that a token's limit may name; a higher one is none. */
  requestRateMax: 1_000_000,
  /** Idempotency keys of one length; longer ones are not keys but payload. */
  idempotencyKeyCharsMax: 255,
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
  /**
   * Frames: bytes of a line without data, as many as Redis itself takes for one; and of the words by which a message is
   * judged, which are kept while they come: no command or option is longer.
   */
  frameLineBytesMax: 65_536,
  frameWordBytesMax: 32,
  /** RESP: bytes of one string, by the protocol; aggregates within each other, of which Redis itself nests under ten. */
  respBulkBytesMax: 536_870_912,
  respDepthMax: 64,
  /**
   * memcached: bytes of a key, and of a line, beyond which it closes itself; of a get's line, which it does not bound: a
   * thousand of the longest keys; of data, the largest item it can be told to keep; words of a meta command, of which it
   * takes under 24.
   */
  memcachedKeyBytesMax: 250,
  memcachedLineBytesMax: 2_048,
  memcachedKeysBytesMax: 262_144,
  memcachedDataBytesMax: 1_073_741_824,
  memcachedMetaWordsMax: 20,
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
  /**
   * Milliseconds that the answer of a look-up counts for connections that were dialled by it, whatever its time to live says,
   * and where it says nothing the longest: a failover is noticed, and no resolver is asked without end.
   */
  dnsTtlMsMin: 1_000,
  dnsTtlMsMax: 15_000,
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
  /**
   * Frames: bytes of one mark of a delimiter, which is a separator; bytes before a length field, and what may be added to its
   * value: headers of a record end long before.
   */
  frameMarkBytesMax: 64,
  frameOffsetMax: 65_535,
  frameAdjustMax: 65_535,
  /** Characters of the URL of a frame's module. */
  frameModuleCharsMax: 4_096,
  /**
   * Bytes of a message's beginning that a module's `endOf` is shown first, doubled until they are all there is: many small
   * messages in one piece cost little.
   */
  frameModuleFirstBytes: 4_096,
  /**
   * Bytes that `endOf` is shown in all for one message: so many for each byte of it, and a floor. It is asked at every piece,
   * so that no whole message waits; 16 MiB in pieces of 64 KiB fit, and single bytes up to 22 KiB. They take seconds, and
   * a quarter of one, at a nanosecond a byte.
   */
  frameModuleLooksPerByte: 128,
  frameModuleLookBytes: 268_435_456,
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
  /** Milliseconds that the end of the process, or of a thread, waits for its last spans to be sent. */
  traceFlushMs: 1_500,
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

/**
 * Every bound of the system in one place, each with its unit and its reason. What an operator may change has
 * its default in `defaults.ts` and its name in the config schema; the rest is fixed.
 */
export const LIMITS: typeof OWN_LIMITS &
  typeof CLIENT_LIMITS &
  typeof COMMAND_LIMITS &
  typeof END_LIMITS &
  typeof HTTP_LIMITS &
  typeof LISTEN_LIMITS &
  typeof MESSAGE_LIMITS &
  typeof METRICS_LIMITS &
  typeof MULTIPLEX_LIMITS &
  typeof PARSE_LIMITS &
  typeof STREAM_LIMITS &
  typeof TARGET_LIMITS &
  typeof FLEET_LIMITS &
  typeof FORWARD_LIMITS = {
  ...OWN_LIMITS,
  ...CLIENT_LIMITS,
  ...COMMAND_LIMITS,
  ...END_LIMITS,
  ...FLEET_LIMITS,
  ...FORWARD_LIMITS,
  ...HTTP_LIMITS,
  ...LISTEN_LIMITS,
  ...MESSAGE_LIMITS,
  ...METRICS_LIMITS,
  ...MULTIPLEX_LIMITS,
  ...PARSE_LIMITS,
  ...STREAM_LIMITS,
  ...TARGET_LIMITS,
}
