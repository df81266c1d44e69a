/** What the flags --ca, --cert and --key say of TLS to a running service. */
import { readFileSync } from 'node:fs'
import { errorText } from '../base/error-text.ts'
import { type PemContent, pairFault, readPem } from '../config/pem.ts'
import { CommandError } from './command-error.ts'

/** Names of PEM files, as given. */
export type TlsFlags = {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** PEM text; what is absent is the platform's. */
export type CallTls = { readonly ca?: string; readonly cert?: string; readonly key?: string }

/**
 * The files, read and checked, for a call of the service at `url`; undefined where no service is called.
 *
 * Errors: CommandError with exit code 2 where the flags do not go together, or do not go with `url`, and for a file
 * that cannot be read or holds something else.
 */
export function readCallTls({ ca, cert, key }: TlsFlags, url: string | undefined): CallTls {
  const given = Object.entries({ ca, cert, key }).flatMap(([name, file]) =>
    file === undefined ? [] : [`--${name}`],
  )
  if (given.length === 0) return {}
  if (!url?.startsWith('https://')) {
    const instead = url === undefined ? 'name one with --url' : `the address is ${url}`
    throw new CommandError(2, `${given.join(', ')}: only for a service at https://HOST:PORT; ${instead}`)
  }
  if (cert !== undefined && key === undefined)
    throw new CommandError(2, '--cert needs the key of the certificate beside it; name its file with --key')
  if (key !== undefined && cert === undefined)
    throw new CommandError(2, '--key needs its certificate beside it; name its file with --cert')
  return {
    ...(ca !== undefined && { ca: readFlagged('--ca', ca, 'certificates') }),
    ...(cert !== undefined && key !== undefined && readPair(cert, key)),
  }
}

function readPair(certFile: string, keyFile: string): { cert: string; key: string } {
  const cert = readFlagged('--cert', certFile, 'certificates')
  const key = readFlagged('--key', keyFile, 'private key')
  if (pairFault(cert, key) !== null)
    throw new CommandError(2, `--key: ${keyFile} does not hold the key of the certificate in ${certFile}`)
  return { cert, key }
}

function readFlagged(flag: string, file: string, content: PemContent): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(2, `${flag}: cannot read the file: ${reasonOf(error)}`, { cause: error })
  }
  const read = readPem(content, text)
  if (read.kind === 'read') return read.text
  const what = content === 'certificates' ? 'a certificate' : 'a private key'
  throw new CommandError(2, `${flag}: ${file} does not hold ${what} as PEM text (it ${read.message})`)
}

function reasonOf(error: unknown): string {
  return errorText(error)
}
