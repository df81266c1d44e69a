/** The library: what a Node program imports from `sockpool`. */
export { attachPool } from './attach-pool.ts'
export {
  type ErrorCode,
  type GoneReason,
  IncompleteReadError,
  LimitOverrunError,
  SockpoolError,
} from './base/errors.ts'
export type { WaitOptions } from './base/wait.ts'
export type { TargetInput } from './config/target-input.ts'
export type { ServerTlsInput } from './config/tls-options.ts'
export {
  connect,
  type Socket,
  type SocketAddress,
  SocketError,
  type SocketInfo,
  type SocketOptions,
} from './connect.ts'
export { createPool, type PoolOptions } from './create-pool.ts'
export {
  type ConnectionOptions,
  type HostConnectionOptions,
  openConnection,
} from './open-connection.ts'
export type { AttachedPool, ExchangeSyncOptions, LeaseSyncOptions } from './pool/attached-pool.ts'
export type { BlockingLease } from './pool/blocking-lease.ts'
export type { ConnectionFacts } from './pool/connection-facts.ts'
export type { ExchangeReply, ReadSpec } from './pool/exchange.ts'
export type { WebStreams } from './pool/handover.ts'
export type { LeaseHandle as Lease } from './pool/lease-handle.ts'
export type { Pool } from './pool/pool.ts'
export type { ExchangeOptions, LeaseOptions } from './pool/pool-parts.ts'
export type { CloseOptions, ConnectionHandler, Server, ServerAddress } from './pool/server.ts'
export type { AdHocTarget } from './pool/target-pools.ts'
export type { ReleaseReason, ReleaseVerdict } from './pool/verdict.ts'
export { type ServerOptions, startServer, type UnixServerOptions } from './start-server.ts'
export type { BlockingReader, BlockingReadOptions } from './streams/blocking-reader.ts'
export type {
  BlockingStartTlsOptions,
  BlockingWriteOptions,
  BlockingWriter,
} from './streams/blocking-writer.ts'
export type { SocketDuplex } from './streams/socket-duplex.ts'
export {
  type MatchedRead,
  type ReadOptions,
  type Separator,
  StreamReader,
  type StreamReaderOptions,
} from './streams/stream-reader.ts'
export { StreamWriter } from './streams/stream-writer.ts'
export type { SendOptions, SentUntil, StartTlsOptions } from './streams/writer-options.ts'
export type { PoolHandle } from './threads/attach-protocol.ts'
