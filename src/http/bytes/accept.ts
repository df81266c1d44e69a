/**
 * Picks the media type of an answer from those that the route offers and the Accept header asks for (RFC 9110, 12.5.1).
 *
 * The higher quality wins; then the more exact range, because some clients send a type together with a catch-all and
 * mean the type; then the route's own order. If nothing fits, the first type is sent: the bytes have left the stream,
 * and a 406 would lose them.
 */
export function pickType<T extends string>(accept: string | undefined, offered: readonly [T, ...T[]]): T {
  if (accept === undefined || accept === '*/*') return offered[0]
  const exact = offered.find(type => type === accept)
  if (exact !== undefined) return exact
  const ranges = accept.split(',').map(parseRange)
  let best = { type: offered[0], quality: 0, exactness: 0 }
  for (const type of offered) {
    const range = ranges.filter(({ name }) => covers(name, type)).sort((a, b) => b.exactness - a.exactness)[0]
    if (range === undefined || range.quality === 0) continue
    const { quality, exactness } = range
    const isBetter = quality > best.quality || (quality === best.quality && exactness > best.exactness)
    if (isBetter) best = { type, quality, exactness }
  }
  return best.type
}

interface Range {
  readonly name: string
  readonly quality: number
  /** 0 for any type, 1 for `type/*`, 2 for a whole type. */
  readonly exactness: number
}

function parseRange(text: string): Range {
  const [name = '', ...parameters] = text.split(';').map(part => part.trim().toLowerCase())
  const weight = parameters.find(parameter => parameter.startsWith('q='))
  const quality = weight === undefined ? 1 : Number(weight.slice(2))
  return {
    name,
    quality: Number.isFinite(quality) ? quality : 0,
    exactness: name === '*/*' ? 0 : name.endsWith('/*') ? 1 : 2,
  }
}

function covers(range: string, type: string): boolean {
  return range === '*/*' || range === type || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)))
}
