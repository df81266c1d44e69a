/** The library: what a Node program imports from `sockpool`. */

export {
  type ErrorCode,
  type GoneReason,
  IncompleteReadError,
  LimitOverrunError,
  SockpoolError,
} from '../base/errors.ts'
export type { WaitOptions } from '../base/wait.ts'
export type { ConnectPoolOptions, RetryOptions } from '../client/client-options.ts'
export { connectPool } from '../client/connect-pool.ts'
export type { RemoteLease } from '../client/remote-lease.ts'
export type { RemotePool, ServiceReload } from '../client/remote-pool.ts'
export type { WireTls as ClientTls } from '../client/wire.ts'
export type { TargetInput } from '../config/target-input.ts'
export type { ServerTlsInput } from '../config/tls-options.ts'
export type { AttachedPool, ExchangeSyncOptions, LeaseSyncOptions } from '../pool/attached/attached-pool.ts'
export type { BlockingLease } from '../pool/attached/blocking-lease.ts'
export type { ConnectionFacts } from '../pool/lease/connection-facts.ts'
export type { ExchangeReply, ExchangeRequest as ExchangeOptions, ReadSpec } from '../pool/lease/exchange.ts'
export type { WebStreams } from '../pool/lease/handover.ts'
export type { Lease } from '../pool/lease/lease.ts'
export type { LeaseOptions } from '../pool/lease/lease-options.ts'
export type { Pool } from '../pool/pool.ts'
export type { CloseOptions, ConnectionHandler, Server, ServerAddress } from '../pool/server/server.ts'
export type { PoolChannelMessage } from '../pool/target/pool-channels.ts'
export type { ReleaseReason, ReleaseResult } from '../pool/target/release-result.ts'
export type { AdHocTarget } from '../pool/target/target-pools.ts'
export type { SocketDuplex } from '../streams/adapters/socket-duplex.ts'
export type { BlockingReader, BlockingReadOptions } from '../streams/blocking/blocking-reader.ts'
export type {
  BlockingStartTlsOptions,
  BlockingWriteOptions,
  BlockingWriter,
} from '../streams/blocking/blocking-writer.ts'
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
export type { PoolHandle } from '../threads/attach-protocol.ts'
export { attachPool } from './attach-pool.ts'
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
export { type ServerOptions, startServer, type UnixServerOptions } from './start-server.ts'
export type { WorkerFileInput } from './worker-files.ts'
