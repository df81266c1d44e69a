/** A certificate for a client, its own authority. */
import { generate } from 'selfsigned'

export type ClientCertificate = { readonly key: string; readonly cert: string }

const SAN_KINDS = { dns: 2, uri: 6 } as const

/** `names` are alternative names; without a `commonName` the subject names an organisation only. */
export async function clientCertificate(
  commonName: string | null,
  names: readonly { readonly kind: 'dns' | 'uri'; readonly value: string }[] = [],
): Promise<ClientCertificate> {
  const subject =
    commonName === null
      ? { name: 'organizationName', value: 'clients' }
      : { name: 'commonName', value: commonName }
  const altNames = names.map(({ kind, value }) =>
    kind === 'dns' ? { type: SAN_KINDS.dns, value } : { type: SAN_KINDS.uri, value },
  )
  const { private: key, cert } = await generate([subject], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', clientAuth: true },
      ...(altNames.length > 0 ? [{ name: 'subjectAltName' as const, altNames }] : []),
    ],
  })
  return { key, cert }
}
