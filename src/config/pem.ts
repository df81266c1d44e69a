/**
 * PEM text, read into its blocks, wherever it comes in: files of the config and of flags, the API, the library. Each block
 * that is wanted is judged here, by the library that will load it, and what goes on is written anew from the judged
 * blocks. So nothing passes the check that TLS would pass over in silence, as it does with a certificate that it cannot
 * read among others, or with two that no line break parts.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { LIMITS } from '../base/limits.ts'

/** What a PEM text is to hold. Blocks of other kinds beside it are left out: many files have both. */
export type PemContent = 'certificates' | 'private key'

/** The text of the blocks that are wanted, or what is wrong. */
export type PemReading =
  | { readonly kind: 'read'; readonly text: string }
  /** Completes the sentence "the text …". It quotes no block. */
  | { readonly kind: 'fault'; readonly message: string }

type Block = { readonly label: string; readonly body: string }

const LABELS: Readonly<Record<PemContent, RegExp>> = {
  certificates: /^(?:X509 |TRUSTED )?CERTIFICATE$/,
  'private key': /^(?:[A-Z0-9]+ )?PRIVATE KEY$/,
}
const BEGIN = '-----BEGIN '
/** A body ends where five dashes begin; one alone stands in the header of an encrypted key. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*(?:-(?!----)[^-]*)*)-----END \1-----/g
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const LINE_CHARS = /.{1,64}/g

/** Certificates that were found good last. The same ones come again and again, with each lease or connection. */
const judged = new Map<string, PemReading>()

export function readPem(content: PemContent, text: string): PemReading {
  if (content === 'private key') return readBlocks(content, text)
  const known = judged.get(text)
  if (known) return known
  const reading = readBlocks(content, text)
  if (reading.kind === 'read') judged.set(text, reading)
  if (judged.size > LIMITS.pemTextsKept) judged.delete(judged.keys().next().value ?? '')
  return reading
}

/** Why the key is not that of the first certificate, or null. Both were read before. */
export function pairFault(cert: string, key: string): string | null {
  const isPair = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  return isPair ? null : 'is not the private key of the certificate in cert'
}

function readBlocks(content: PemContent, text: string): PemReading {
  if (text.length > LIMITS.configFileBytesMax)
    return fault(`is longer than ${LIMITS.configFileBytesMax} characters`)
  const blocks = [...text.matchAll(BLOCK)].map(([, label = '', body = '']) => ({ label, body }))
  if (blocks.length < text.split(BEGIN).length - 1) return fault('has a PEM block without its END line')
  if (blocks.length === 0) return fault('holds no PEM text')
  const wanted = blocks.filter(({ label }) => LABELS[content].test(label))
  const one = content === 'certificates' ? 'certificate' : 'private key'
  if (wanted.length === 0) return fault(`holds no ${one}`)
  if (wanted.length > LIMITS.pemBlocksMax) return fault(`holds more than ${LIMITS.pemBlocksMax} certificates`)
  if (content === 'private key' && wanted.length > 1) return fault('holds more than one private key')
  const texts: string[] = []
  for (const [index, block] of wanted.entries()) {
    const written = textOf(block)
    const reason = reasonAgainst(content, written)
    const which = wanted.length === 1 ? `a ${one}` : `${one} ${index + 1} of ${wanted.length}`
    if (written === null || reason !== null) return fault(`holds ${which} that cannot be loaded: ${reason}`)
    texts.push(written)
  }
  return { kind: 'read', text: texts.join('') }
}

/** The block as RFC 7468 writes it; null where its body is no base64. */
function textOf({ label, body }: Block): string | null {
  const bare = body.replace(/\s+/g, '')
  if (!BASE64.test(bare)) return null
  return `${BEGIN}${label}-----\n${(bare.match(LINE_CHARS) ?? []).join('\n')}\n-----END ${label}-----\n`
}

function reasonAgainst(content: PemContent, written: string | null): string | null {
  if (written === null)
    return content === 'certificates' ? 'it is no base64' : 'it is no base64, or is encrypted'
  if (written.startsWith(`${BEGIN}ENCRYPTED`))
    return 'it is encrypted, and nobody is asked for its passphrase'
  try {
    if (content === 'certificates') new X509Certificate(written)
    else createPrivateKey(written)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function fault(message: string): PemReading {
  return { kind: 'fault', message }
}
