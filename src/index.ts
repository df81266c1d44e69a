/** The library: what a Node program imports from `sockpool`. */
export {
  type ErrorCode,
  type GoneReason,
  IncompleteReadError,
  LimitOverrunError,
  SockpoolError,
} from './base/errors.ts'
export type { WaitOptions } from './base/wait.ts'
export type { TargetInput } from './config/target-input.ts'
export { createPool, type PoolOptions } from './create-pool.ts'
export { type ConnectionOptions, openConnection } from './open-connection.ts'
export type { ConnectionFacts } from './pool/connection-facts.ts'
export type { ExchangeReply, ReadSpec } from './pool/exchange.ts'
export type { Lease } from './pool/lease.ts'
export type { ExchangeOptions, LeaseOptions, Pool } from './pool/pool.ts'
export type { AdHocTarget } from './pool/target-pools.ts'
export type { ReleaseReason, ReleaseVerdict } from './pool/verdict.ts'
export type { BlockingReader } from './streams/blocking-reader.ts'
export {
  type ReadOptions,
  type Separator,
  StreamReader,
  type StreamReaderOptions,
} from './streams/stream-reader.ts'
export { StreamWriter } from './streams/stream-writer.ts'
