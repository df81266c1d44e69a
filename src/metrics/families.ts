/**
 * Every metric of sockpool's own: its name, its type, its labels, and what it says. There is no other list of them; the table
 * of docs/metrics.md is made from it. Labels are of closed sets: a name that the configuration has, a state, a reason.
 */
export type FamilyType = 'gauge' | 'counter' | 'histogram'

export type Family = {
  readonly name: string
  readonly type: FamilyType
  readonly labels: readonly string[]
  /** What it says, in one sentence. */
  readonly help: string
}

const gauge = (name: string, labels: readonly string[], help: string): Family => ({
  name: `sockpool_${name}`,
  type: 'gauge',
  labels,
  help,
})
const counter = (name: string, labels: readonly string[], help: string): Family => ({
  name: `sockpool_${name}_total`,
  type: 'counter',
  labels,
  help,
})
const histogram = (name: string, labels: readonly string[], help: string): Family => ({
  name: `sockpool_${name}_seconds`,
  type: 'histogram',
  labels,
  help,
})

const TARGET = ['target'] as const

/** How the sources call them. */
export type FamilyKey =
  | 'connections'
  | 'connectionsMax'
  | 'connectionsMin'
  | 'waiters'
  | 'acquire'
  | 'acquireTimeouts'
  | 'lease'
  | 'connect'
  | 'exchange'
  | 'opened'
  | 'closed'
  | 'poisoned'
  | 'leaseLost'
  | 'breaker'
  | 'multiplexInFlight'
  | 'multiplexOrphans'
  | 'forwardPins'
  | 'egressDenied'
  | 'relayBytes'
  | 'ringOccupancy'
  | 'ringStalls'
  | 'doorbellLost'
  | 'utilization'
  | 'loopDelay'
  | 'workerLost'
  | 'parseQueue'
  | 'parseTask'
  | 'parseWait'
  | 'request'
  | 'logDropped'
  | 'fleetInstances'
  | 'fleetExpected'
  | 'fleetDegraded'
  | 'fleetCap'
  | 'fleetPermits'
  | 'fleetPermitsTaken'
  | 'fleetPermitsWanting'
  | 'fleetPermitWait'
  | 'fleetForwarded'
  | 'buildInfo'

export const FAMILIES: Readonly<Record<FamilyKey, Family>> = {
  connections: gauge(
    'pool_connections',
    ['target', 'state'],
    'Connections by state: connecting, idle, leased, multiplexed, quarantined, closing.',
  ),
  connectionsMax: gauge('pool_connections_max', TARGET, 'Connections that the target may have.'),
  connectionsMin: gauge('pool_connections_min', TARGET, 'Connections that are kept warm.'),
  waiters: gauge('pool_waiters', TARGET, 'Callers that wait for a connection, or for room on a shared one.'),
  acquire: histogram(
    'pool_acquire_duration',
    ['target', 'result'],
    'From the question for a connection to the lease, or to the error; result is ok or its code.',
  ),
  acquireTimeouts: counter(
    'pool_acquire_timeouts',
    TARGET,
    'Callers that no connection became free for in time.',
  ),
  lease: histogram(
    'pool_lease_duration',
    TARGET,
    'For how long leases were held, those of exchanges too; a call on a shared connection holds none.',
  ),
  connect: histogram(
    'pool_connect_duration',
    ['target', 'result'],
    'Dials: name, TCP, TLS and the dialog of the new connection; result is ok or the code.',
  ),
  exchange: histogram(
    'exchange_duration',
    ['target', 'result'],
    'Exchanges, from the call to its answer, the wait included; result is ok or the code.',
  ),
  opened: counter('pool_connections_opened', TARGET, 'Connections opened.'),
  closed: counter('pool_connections_closed', ['target', 'reason'], 'Connections closed, by reason.'),
  poisoned: counter(
    'pool_poisoned',
    TARGET,
    'Idle connections closed because bytes came that nobody had asked for.',
  ),
  leaseLost: counter(
    'lease_lost',
    ['target', 'reason'],
    'Leases that ended otherwise than by their holder: expired, killed, revoked, reset, worker_lost.',
  ),
  breaker: gauge('breaker_state', TARGET, '0 closed (or none), 1 half open, 2 open.'),
  multiplexInFlight: gauge(
    'multiplex_in_flight',
    TARGET,
    'Requests under way on shared connections, orphans among them.',
  ),
  multiplexOrphans: gauge(
    'multiplex_orphans',
    TARGET,
    'Answers that are awaited for callers that have gone.',
  ),
  forwardPins: counter(
    'forward_pins',
    ['target', 'reason'],
    'How often a client of a forward in message mode got a connection for itself, by what made it need one.',
  ),
  egressDenied: counter('egress_denied', ['reason'], 'Dials that the egress rules refused, by reason.'),
  relayBytes: counter(
    'relay_bytes',
    ['direction'],
    'Bytes from (in) and to (out) targets, those of dialogs too.',
  ),
  ringOccupancy: gauge(
    'ring_occupancy_bytes',
    ['direction'],
    'Bytes that lie in rings: received and not read (in), written and not sent (out).',
  ),
  ringStalls: counter(
    'ring_stalls',
    ['side'],
    'How often a ring was full: its holder reads too slowly (inbound), its peer takes too slowly (outbound).',
  ),
  doorbellLost: counter(
    'doorbell_lost',
    [],
    'Wakes between two threads that only a timer found; more than 0 is a fault of sockpool.',
  ),
  utilization: gauge(
    'worker_eventloop_utilization',
    ['worker', 'kind'],
    'Share of the last 10 to 20 s in which the event loop of a thread was busy, 0 to 1; worker is its id, kind is main, io or http.',
  ),
  loopDelay: gauge(
    'event_loop_delay_seconds',
    ['thread'],
    'The longest that the event loop of a thread was held up in the last 15 to 30 s; of a stuck I/O worker, until now.',
  ),
  workerLost: counter('worker_lost', ['kind'], 'Threads and processes that died: io, http, parse.'),
  parseQueue: gauge('parse_queue_size', [], 'Parses that wait for a worker, or for the rest of a message.'),
  parseTask: histogram(
    'parse_task_duration',
    ['place'],
    'For how long parses held their worker; place is thread, process or in_place, the thread that asked.',
  ),
  parseWait: histogram('parse_wait_duration', [], 'How long parses waited for a worker.'),
  request: histogram(
    'http_request_duration',
    ['method', 'route', 'status'],
    'HTTP requests, on all threads; route is the pattern that the path has matched, or none.',
  ),
  logDropped: counter(
    'log_lines_dropped',
    [],
    'Log lines that were dropped: the reader of stderr was away, too slow, or out of room.',
  ),
  buildInfo: gauge('build_info', ['version', 'node'], '1; the versions of sockpool and of Node.js.'),
  fleetInstances: gauge(
    'fleet_instances',
    [],
    'Instances that the engine of the fleet named last, this one included; like all that follow it is absent without a fleet.',
  ),
  fleetExpected: gauge('fleet_instances_expected', [], 'Instances that the configuration expects.'),
  fleetDegraded: gauge('fleet_degraded', [], '1 while the engine does not answer this instance, else 0.'),
  fleetCap: gauge('fleet_cap', TARGET, 'Connections that all instances together may have.'),
  fleetPermits: gauge(
    'fleet_permits',
    TARGET,
    'Connections that this instance may have now; absent while onEngineLoss: local leaves it no bound but its own.',
  ),
  fleetPermitsTaken: gauge(
    'fleet_permits_taken',
    TARGET,
    'Connections that this instance has, dials and closing sockets included.',
  ),
  fleetPermitsWanting: gauge(
    'fleet_permits_wanting',
    TARGET,
    'Callers of this instance that a connection would be dialled for if it were not for the cap.',
  ),
  fleetPermitWait: histogram(
    'fleet_permit_wait_duration',
    TARGET,
    'How long this instance lacked a permit that its callers wanted, until it had one.',
  ),
  fleetForwarded: counter(
    'fleet_forwarded',
    ['result'],
    'Calls about leases and listeners of other instances; result is ok, whatever was answered there, or the code of the error.',
  ),
}
