/**
 * A DNS server on loopback (UDP and TCP, one port) whose answers are written in the names that are asked for.
 *
 * Below `dns.test` each label is an instruction; several make one answer:
 *   a-8-8-8-8, aaaa-2001-db8--1   this record
 *   then-10-0-0-1                 this A record instead of the others, from the second question on
 *   once                          SERVFAIL from the second question on
 *   ttl-N                         its time to live, default 60 seconds
 *   cname-NAME, chain-N           one CNAME to NAME; N CNAMEs before the records
 *   many-N                        N public A records
 *   own                           an A record with the address given as `ownAddress`
 *   delay-30s, delay-50ms         answer late
 *   search                        NXDOMAIN as it stands, 127.0.0.1 under any search domain
 *   servfail, refused, nodata, silent, a6fail   the failures (a6fail: SERVFAIL for AAAA alone)
 * Elsewhere: `localhost`, dotted quads before `.nip.io`, the metadata name of a cloud, and NXDOMAIN.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

export type DnsServer = {
  /** As `egress.dnsServers` takes it. */
  readonly address: string
  /** Every question so far, `TYPE name`, in order. */
  readonly questions: readonly string[]
  close(): Promise<void>
}

type Question = { readonly id: number; readonly name: string; readonly type: number; readonly wire: Buffer }
type Record = { readonly name: string; readonly type: number; readonly data: Buffer }
type Answer = { rcode: number; ttl: number; delayMs: number; silent: boolean; records: Record[] }

const A = 1
const CNAME = 5
const AAAA = 28
const SERVFAIL = 2
const NXDOMAIN = 3
const REFUSED = 5
const UDP_BYTES_MAX = 1_232
const HEADER_BYTES = 12
const SCRIPT = '.dns.test'

/** `port`: default a free one. */
export async function startDnsServer(
  options: { ownAddress?: string; port?: number } = {},
): Promise<DnsServer> {
  const questions: string[] = []
  const counts = new Map<string, number>()
  const timers = new Set<NodeJS.Timeout>()
  const sockets = new Set<Socket>()

  const answerTo = (question: Question, send: (reply: Buffer) => void, bytesMax: number): void => {
    const key = `${question.type === AAAA ? 'AAAA' : 'A'} ${question.name}`
    questions.push(key)
    const asked = (counts.get(key) ?? 0) + 1
    counts.set(key, asked)
    const answer = scripted(question, asked, options.ownAddress ?? '127.0.0.1')
    if (answer.silent) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      send(encode(question, answer, bytesMax))
    }, answer.delayMs)
    timers.add(timer)
  }

  const tcp = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
    let pending = Buffer.alloc(0)
    socket.on('data', chunk => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0)
        const question = decode(pending.subarray(2, end))
        pending = pending.subarray(end)
        answerTo(question, reply => socket.writable && socket.write(framed(reply)), 65_535)
      }
    })
  })
  const { udp, port } = await bindBoth(tcp, options.port ?? 0)
  udp.on('message', (message, peer) => {
    answerTo(decode(message), reply => udp.send(reply, peer.port, peer.address), UDP_BYTES_MAX)
  })

  const close = async (): Promise<void> => {
    for (const timer of timers) clearTimeout(timer)
    for (const socket of sockets) socket.destroy()
    const closed = [once(udp, 'close'), once(tcp, 'close')]
    udp.close()
    tcp.close()
    await Promise.all(closed)
  }
  return { address: `127.0.0.1:${port}`, questions, close }
}

/** Both protocols on one port: TCP takes a free one, and UDP the same unless someone was faster. */
async function bindBoth(tcp: Server, wanted: number): Promise<{ udp: UdpSocket; port: number }> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    tcp.listen(wanted, '127.0.0.1')
    await once(tcp, 'listening')
    const address = tcp.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const udp = createSocket('udp4')
    const bound = await new Promise<boolean>(resolve => {
      udp.once('error', () => resolve(false)).bind(port, '127.0.0.1', () => resolve(true))
    })
    if (bound) return { udp, port }
    tcp.close()
    await once(tcp, 'close')
  }
  throw new Error('no port is free for both UDP and TCP')
}

function decode(message: Buffer): Question {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const wire = message.subarray(HEADER_BYTES, at + 5)
  return { id: message.readUInt16BE(0), name: labels.join('.'), type: message.readUInt16BE(at + 1), wire }
}

function encode(question: Question, answer: Answer, bytesMax: number): Buffer {
  const records = answer.records.map(record => encodeRecord(record, answer.ttl))
  const size = HEADER_BYTES + question.wire.length + records.reduce((sum, record) => sum + record.length, 0)
  const isCut = size > bytesMax
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(question.id, 0)
  // Response, authoritative, recursion desired and available; TC where it does not fit.
  header.writeUInt16BE(0x8580 | (isCut ? 0x0200 : 0) | answer.rcode, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(isCut ? 0 : records.length, 6)
  return Buffer.concat([header, question.wire, ...(isCut ? [] : records)])
}

function encodeRecord({ name, type, data }: Record, ttl: number): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(ttl, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([encodeName(name), fixed, data])
}

function encodeName(name: string): Buffer {
  const labels = name
    .split('.')
    .map(label => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'))
  return Buffer.concat([...labels, Buffer.from([0])])
}

function framed(reply: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(reply.length)
  return Buffer.concat([length, reply])
}

function ipv4(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number))
}

/** Enough of IPv6 for a script: groups and one `::`. */
function ipv6(text: string): Buffer {
  const [head = '', tail = ''] = text.split('::')
  const front = head.split(':').filter(Boolean)
  const back = tail.split(':').filter(Boolean)
  const zeros = Array<string>(8 - front.length - back.length).fill('0')
  return Buffer.from([...front, ...zeros, ...back].map(group => group.padStart(4, '0')).join(''), 'hex')
}

function scripted(question: Question, asked: number, ownAddress: string): Answer {
  const name = question.name.toLowerCase()
  const answer: Answer = { rcode: 0, ttl: 60, delayMs: 0, silent: false, records: [] }
  if (name.endsWith(SCRIPT)) followLabels(name, question, asked, ownAddress, answer)
  else addElsewhere(name, answer)
  answer.records = answer.records.filter(record => record.type === question.type || record.type === CNAME)
  return answer
}

function addElsewhere(name: string, answer: Answer): void {
  const quad = /^(?:.+\.)?(\d+\.\d+\.\d+\.\d+)\.nip\.io$/.exec(name)?.[1]
  const isSearched = name.startsWith('search.dns.test.')
  if (quad !== undefined) answer.records.push({ name, type: A, data: ipv4(quad) })
  else if (name === 'metadata.google.internal')
    answer.records.push({ name, type: A, data: ipv4('169.254.169.254') })
  else if (name === 'localhost' || isSearched) addLoopback(name, answer)
  else answer.rcode = NXDOMAIN
}

function addLoopback(name: string, answer: Answer): void {
  answer.records.push({ name, type: A, data: ipv4('127.0.0.1') })
  answer.records.push({ name, type: AAAA, data: ipv6('::1') })
}

function followLabels(
  name: string,
  question: Question,
  asked: number,
  ownAddress: string,
  answer: Answer,
): void {
  const labels = name.slice(0, -SCRIPT.length).split('.')
  // CNAMEs first: the records after them belong to the last name of the chain.
  let owner = name
  for (const label of labels) {
    const [verb = '', argument = ''] = split(label)
    if (verb !== 'cname' && verb !== 'chain') continue
    const links =
      verb === 'cname' ? [argument] : Array.from({ length: Number(argument) }, (_, i) => `link-${i}`)
    for (const link of links) {
      const next = link === 'localhost' ? link : `${link}${SCRIPT}`
      answer.records.push({ name: owner, type: CNAME, data: encodeName(next) })
      owner = next
    }
    if (owner === 'localhost') addLoopback(owner, answer)
  }
  const isLater = asked > 1 && labels.some(label => label.startsWith('then-') || label === 'once')
  for (const label of labels) follow(label, owner, question.type, isLater, ownAddress, answer)
}

function follow(
  label: string,
  owner: string,
  type: number,
  isLater: boolean,
  ownAddress: string,
  answer: Answer,
): void {
  const [verb, argument] = split(label)
  const add = (recordType: number, data: Buffer): void => {
    answer.records.push({ name: owner, type: recordType, data })
  }
  if (verb === 'a' && !isLater) add(A, ipv4(argument.replaceAll('-', '.')))
  else if (verb === 'aaaa' && !isLater) add(AAAA, ipv6(argument.replaceAll('-', ':')))
  else if (verb === 'then' && isLater) add(A, ipv4(argument.replaceAll('-', '.')))
  else if (verb === 'once' && isLater) answer.rcode = SERVFAIL
  else if (verb === 'own') add(A, ipv4(ownAddress))
  else if (verb === 'ttl') answer.ttl = Number(argument)
  else if (verb === 'delay')
    answer.delayMs = Number.parseInt(argument, 10) * (argument.endsWith('ms') ? 1 : 1_000)
  else if (verb === 'many')
    for (let n = 0; n < Number(argument); n += 1) add(A, Buffer.from([8, 8, n >> 8, n & 0xff]))
  else if (verb === 'search') answer.rcode = NXDOMAIN
  else if (verb === 'refused') answer.rcode = REFUSED
  else if (verb === 'servfail' || (verb === 'a6fail' && type === AAAA)) answer.rcode = SERVFAIL
  else if (verb === 'silent') answer.silent = true
}

function split(label: string): [verb: string, argument: string] {
  const dash = label.indexOf('-')
  return dash < 0 ? [label, ''] : [label.slice(0, dash), label.slice(dash + 1)]
}
