/** An LDAP server of the test's own, slapd over TLS, with one person in it, in a folder that goes with the test. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { requireProgram, startProgramOn } from './own-program.ts'
import { handFolderTo } from './own-user.ts'
import type { Place } from './services.ts'
import type { TestCertificate } from './tls-certs.ts'

export const DIRECTORY = {
  dn: 'uid=ada,ou=people,dc=example,dc=org',
  password: 'correct horse',
} as const

const PEOPLE = `dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ${DIRECTORY.dn}
objectClass: person
objectClass: uidObject
uid: ada
cn: Ada Lovelace
sn: Lovelace
userPassword: ${DIRECTORY.password}
`

export async function startSlapd(
  { cert, key }: TestCertificate,
  skip: (note: string) => never,
): Promise<Place> {
  const slapd = await requireProgram('slapd', 'slapd', skip)
  const slapadd = await requireProgram('slapadd', 'slapd', skip)
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-slapd-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const data = join(folder, 'data')
  await mkdir(data)
  const files = { 'cert.pem': cert, 'key.pem': key, 'people.ldif': PEOPLE, 'slapd.conf': settings(folder) }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const owner = await handFolderTo('nobody', folder)
  await handFolderTo('nobody', data)
  const config = join(folder, 'slapd.conf')
  await promisify(execFile)(slapadd, ['-q', '-f', config, '-l', join(folder, 'people.ldif')], {
    ...owner,
    cwd: '/',
  })
  const args = (port: number): string[] => ['-d', '0', '-f', config, '-h', `ldaps://127.0.0.1:${port}`]
  return await startProgramOn({ command: slapd, args, from: 'slapd', owner }, skip)
}

function settings(folder: string): string {
  return `include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${folder}/pid
TLSCertificateFile ${folder}/cert.pem
TLSCertificateKeyFile ${folder}/key.pem
database mdb
suffix "dc=example,dc=org"
directory ${folder}/data
`
}
