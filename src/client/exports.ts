/** What `sockpool/client` exports beside `connectPool`, which each runtime has its own of. */

export {
  type ErrorCode,
  type GoneReason,
  IncompleteReadError,
  LimitOverrunError,
  SockpoolError,
} from '../base/errors.ts'
export type { WaitOptions } from '../base/wait.ts'
export type { ConnectionFacts } from '../pool/lease/connection-facts.ts'
export type { ExchangeReply, ExchangeRequest as ExchangeOptions, ReadSpec } from '../pool/lease/exchange.ts'
export type { WebStreams } from '../pool/lease/handover.ts'
export type { LeaseOptions } from '../pool/lease/lease-options.ts'
export type { ReleaseReason, ReleaseResult } from '../pool/target/release-result.ts'
export type { AdHocTarget } from '../pool/target/target-pools.ts'
export type { SocketDuplex } from '../streams/adapters/socket-duplex.ts'
export {
  type MatchedRead,
  type ReadOptions,
  type Separator,
  StreamReader,
  type StreamReaderOptions,
} from '../streams/reading/stream-reader.ts'
export { StreamWriter } from '../streams/writing/stream-writer.ts'
export type {
  AbortOptions,
  SendOptions,
  SentUntil,
  StartTlsOptions,
} from '../streams/writing/writer-options.ts'
export type { ConnectPoolOptions, RetryOptions } from './client-options.ts'
export type { RemoteLease } from './remote-lease.ts'
export type { RemotePool, ServiceReload } from './remote-pool.ts'
export type { WireTls as ClientTls } from './wire.ts'
