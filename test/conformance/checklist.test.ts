/**
 * The tests that asyncio and anyio have for their streams, each under its own name somewhere in these tests, and the
 * cases beyond them that nobody else tests. What runs over all transports is a case of this suite.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CASES } from './cases.ts'

/** CPython 3.13, Lib/test/test_asyncio/test_streams.py, by its groups; `test_start_tls_buffered_data` is newer. */
const STREAMS = {
  connect: [
    'test_open_connection',
    'test_open_unix_connection',
    'test_open_connection_no_loop_ssl',
    'test_open_unix_connection_no_loop_ssl',
    'test_open_connection_error',
    'test_open_unix_connection_error',
  ],
  feed: ['test_feed_empty_data', 'test_feed_nonempty_data'],
  read: [
    'test_read_zero',
    'test_read',
    'test_read_line_breaks',
    'test_read_eof',
    'test_read_until_eof',
    'test_read_exception',
    'test_invalid_limit',
    'test_read_limit',
    'test_read_all_from_pipe_reader',
  ],
  readline: [
    'test_readline',
    'test_readline_limit_with_existing_data',
    'test_readline_limit',
    'test_readline_nolimit_nowait',
    'test_readline_eof',
    'test_readline_empty_eof',
    'test_readline_read_byte_count',
    'test_readline_exception',
  ],
  eof: ['test_at_eof', 'test_eof_feed_when_closing_writer'],
  readuntil: [
    'test_readuntil_separator',
    'test_readuntil_multi_chunks',
    'test_readuntil_multi_chunks_1',
    'test_readuntil_eof',
    'test_readuntil_limit_found_sep',
    'test_readuntil_multi_separator',
    'test_readuntil_multi_separator_limit',
    'test_readuntil_multi_separator_negative_offset',
    'test_readuntil_bytearray',
  ],
  readexactly: [
    'test_readexactly_zero_or_less',
    'test_readexactly',
    'test_readexactly_limit',
    'test_readexactly_eof',
    'test_readexactly_exception',
  ],
  exception: ['test_exception', 'test_exception_waiter', 'test_exception_cancel'],
  server: [
    'test_start_server',
    'test_start_unix_server',
    'test_unclosed_server_resource_warnings',
    'test_unhandled_exception',
    'test_unhandled_cancel',
  ],
  tls: ['test_start_tls', 'test_start_tls_buffered_data'],
  constructors: [
    'test_streamreader_constructor_without_loop',
    'test_streamreader_constructor_use_running_loop',
    'test_streamreader_constructor_use_global_loop',
    'test_streamreaderprotocol_constructor_without_loop',
    'test_streamreaderprotocol_constructor_use_running_loop',
    'test_streamreaderprotocol_constructor_use_global_loop',
  ],
  writer: [
    'test_multiple_drain',
    'test_drain_raises',
    'test_wait_closed_on_close',
    'test_wait_closed_on_close_with_unread_data',
    'test_async_writer_api',
    'test_async_writer_api_exception_after_close',
    'test_unclosed_resource_warnings',
    'test_loop_is_closed_resource_warnings',
  ],
  repr: [
    'test___repr__',
    'test___repr__nondefault_limit',
    'test___repr__eof',
    'test___repr__data',
    'test___repr__exception',
    'test___repr__waiter',
    'test___repr__transport',
  ],
  pickle: ['test_IncompleteReadError_pickleable', 'test_LimitOverrunError_pickleable'],
} as const

/** CPython 3.13, Lib/test/test_asyncio/test_server.py. */
const SERVER = [
  'test_start_server_1',
  'test_start_unix_server_1',
  'test_wait_closed_basic',
  'test_wait_closed_race',
  'test_close_clients',
  'test_abort_clients',
  'addr_cleanup',
  'sock_cleanup',
  'cleanup_gone',
  'cleanup_replaced',
  'cleanup_prevented',
]

/** anyio, tests/streams/test_buffered.py. */
const BUFFERED = [
  'test_receive_exactly',
  'test_receive_exactly_incomplete',
  'test_receive_until',
  'test_receive_until_incomplete',
  'test_buffered_stream',
  'test_buffered_connectable',
  'test_receive_invalid_max_bytes',
  'test_buffered_stream_receive_invalid_max_bytes',
  'test_feed_data',
]

/** What nobody's suite has, and the titles of its tests here. */
const BEYOND: ReadonlyArray<readonly [what: string, ...titles: string[]]> = [
  [
    'with a stored exception read(0) throws it, readexactly(-1) the error of its count',
    'with bytes buffered every read throws, and at_eof stays false',
  ],
  ['with a stored exception no buffered byte is read', 'with bytes buffered every read throws'],
  [
    'a cancelled read leaves every byte readable',
    'read(-1) that is cancelled or timed out leaves every byte readable',
    'readexactly that is cancelled or timed out leaves every byte readable',
    'readuntil that is cancelled or timed out leaves every byte readable',
  ],
  ['bytes go to the call that they woke', 'no steal: bytes go to the call that waited for them'],
  [
    'separators of the wrong kind',
    'a Set, a nested array, numbers or nothing are a TypeError',
    'a generator is a TypeError',
    'test_readuntil_separator: nothing and emptiness are refused',
  ],
  ['pause above twice the limit, resume at it', 'flow control: pause at 2 x limit + 1'],
  [
    'a count above what is buffered at the most',
    'flow control: readexactly(131073) does not deadlock',
    'flow control: readexactly(655360) does not deadlock',
  ],
  [
    'half-close of either side',
    'half-close by the peer: writing goes on, then read to EOF',
    'write_eof: all that was written, then the end; reading goes on to EOF',
  ],
  [
    'a drain that waits when the connection is lost',
    'a drain that waits rejects with the error, or resolves when there was none',
  ],
  [
    'separators of 2..4 bytes, split everywhere',
    'ab is found however it is split over two and three chunks',
    'abc is found however it is split over two and three chunks',
    'abca is found however it is split over two and three chunks',
  ],
  [
    'equal ends: the shorter separator is consumed',
    'test_readuntil_limit_found_sep: limit 2, "xxxAAyy" by ["xAA","AA"]: 3',
  ],
  [
    'the same results for any chunking',
    'StreamReader gives the same over memory at once and over a ring in any pieces',
    'BlockingReader is StreamReader in',
  ],
  ['an overrun loses nothing', 'overrun, then readexactly(consumed), then readuntil again loses nothing'],
  [
    'start_tls with a full queue, a paused reader, and bytes that came early on either side',
    'a full write queue goes out in plain text before the handshake',
    'start_tls with the reader paused',
    'test_start_tls_buffered_data',
    'bytes that came before the handshake are STARTTLS_INJECTION',
  ],
  [
    'FIN and RST are two things over HTTP',
    'takes a line with its newline, and at EOF what is left',
    'after a reset delivers what was buffered, then connection_reset',
  ],
  [
    'errors keep their fields through ring and HTTP',
    'test_IncompleteReadError_pickleable',
    'test_LimitOverrunError_pickleable',
    'before EOF answers incomplete_read with the partial bytes',
    'past its limit answers limit_overrun, whose consumed bytes can be skipped',
  ],
]

const TESTS = join(import.meta.dirname, '..')
const TITLE = /\btest(?:Case)?\(\s*(?:'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\]|\\.)*)")/g

/** The titles of all tests that are written out, and of all cases, which may be put together. */
function allTitles(): string[] {
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  const written = files.flatMap(file => {
    const text = readFileSync(join(TESTS, file), 'utf8')
    return [...text.matchAll(TITLE)].map(([, single, ticked, double]) => single ?? ticked ?? double ?? '')
  })
  return [...written, ...CASES.map(({ title }) => title)]
}

const titles = allTitles()

/** Whether it stands in a title as a word, alone or in a list of names before the colon. */
function isNamed(name: string): boolean {
  return titles.some(title => (title.split(':')[0] ?? '').split(/[\s,]+/).includes(name))
}

test.each(Object.entries(STREAMS))('the %s tests of asyncio are here by their names', (_group, names) => {
  expect(names.filter(name => !isNamed(name))).toEqual([])
})

test('they are all of test_streams.py, and one that is newer', () => {
  const names = Object.values(STREAMS).flat()
  expect(new Set(names).size).toBe(74)
})

test.each([
  ['asyncio’s servers', SERVER],
  ['anyio’s buffered streams', BUFFERED],
])('the tests of %s are here by their names', (_what, names) => {
  expect(names.filter(name => !isNamed(name))).toEqual([])
})

test.each(BEYOND)('%s', (_what, ...wanted) => {
  expect(wanted.filter(text => !titles.some(title => title.startsWith(text)))).toEqual([])
})
