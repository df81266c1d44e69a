/**
 * How the requests of memcached's text protocol go on behind their first word. A server takes the data of a command that
 * it refuses for further commands, so what it would refuse for its form is no message here.
 */

export type MemcachedForm =
  /** Keys alone, whose line memcached does not bound. */
  | { readonly kind: 'keys' }
  /** `noreply` as the last word is one from this place on; null where it is a word like others. */
  | { readonly kind: 'line'; readonly noreplyFrom: number | null }
  /** key flags exptime bytes [cas] [noreply], and the data. */
  | { readonly kind: 'storage'; readonly words: 5 | 6 }
  /** Flags from that place on. `lengthAt`: where the length of its data stands. */
  | { readonly kind: 'meta'; readonly flagsFrom: number; readonly lengthAt: number | null }
  /** It is not for a connection that others share, as is what no row has. */
  | { readonly kind: 'exclusive'; readonly answers: 0 | 1 }

const rows = (names: string, form: MemcachedForm): (readonly [string, MemcachedForm])[] =>
  names.split(' ').map(name => [name, form])

const FORMS: ReadonlyMap<string, MemcachedForm> = new Map([
  ...rows('get gets', { kind: 'keys' }),
  ...rows('gat gats stats version mn me', { kind: 'line', noreplyFrom: null }),
  ...rows('flush_all verbosity', { kind: 'line', noreplyFrom: 1 }),
  ...rows('delete incr decr touch', { kind: 'line', noreplyFrom: 2 }),
  ...rows('set add replace append prepend', { kind: 'storage', words: 5 }),
  ...rows('cas', { kind: 'storage', words: 6 }),
  ...rows('mg md ma', { kind: 'meta', flagsFrom: 2, lengthAt: null }),
  ...rows('ms', { kind: 'meta', flagsFrom: 3, lengthAt: 2 }),
  ...rows('quit', { kind: 'exclusive', answers: 0 }),
  ...rows('watch lru_crawler lru slabs shutdown cache_memlimit extstore misbehave refresh_certs', {
    kind: 'exclusive',
    answers: 1,
  }),
])

/** Null where it is unknown. */
export function memcachedForm(name: string): MemcachedForm | null {
  return FORMS.get(name) ?? null
}
