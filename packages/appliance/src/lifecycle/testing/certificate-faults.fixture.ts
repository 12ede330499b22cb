import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import {
  authorityCertificate,
  createAuthorityKey,
  issueServerCertificate,
} from '../../certificates/authority.ts'
import type { Fault } from './doctor-faults.fixture.ts'
import type { Lab } from './lab.fixture.ts'
import { damage, type Mend } from './mendable.fixture.ts'

/** What can be wrong with the certificates of the own authority. */
export function certificateFaults(lab: Lab): readonly Fault[] {
  const at = (...names: string[]) => join(lab.stateFolder, ...names)

  async function certificate(days: number, foreign = false): Promise<Mend> {
    const { appliance } = await lab.open()
    const now = lab.clock.now()
    const authorityKey = foreign ? await createAuthorityKey() : appliance.config.keys.ca_key
    const authorityPem = foreign
      ? await authorityCertificate(authorityKey, { name: 'Somebody', now })
      : await readFile(at('certificates', 'ca.crt'), 'utf8')
    const made = await issueServerCertificate({
      authorityKey,
      authorityPem,
      hosts: ['kiosk.example.test'],
      now: days < 0 ? new Date(now.getTime() - 10 * DAY_MS) : now,
      days: Math.abs(days),
    })
    const key = await damage(at('certificates', 'app-kiosk.key'), made.key.reveal())
    const certificate = await damage(at('certificates', 'app-kiosk.crt'), made.certPem)
    return async () => {
      await certificate()
      await key()
    }
  }

  return [
    ['certificate that ends soon', 'CERTIFICATE_EXPIRING', () => certificate(5)],
    ['certificate that has ended', 'CERTIFICATE_EXPIRING', () => certificate(-5)],
    ['certificate of another authority', 'CERTIFICATE_FOREIGN', () => certificate(300, true)],
    ['certificate that is not shown', 'CERTIFICATE_NOT_SERVED', () => certificate(300)],
    [
      'key of a certificate gone',
      'CERTIFICATE_INVALID',
      () => damage(at('certificates', 'app-kiosk.key'), undefined),
    ],
    [
      'damaged key of a certificate',
      'CERTIFICATE_INVALID',
      () => damage(at('certificates', 'app-kiosk.key'), '-----BEGIN PRIVATE KEY-----\nMIG\u0000\n'),
    ],
    [
      'certificate that is none',
      'CERTIFICATE_INVALID',
      () => damage(at('certificates', 'app-kiosk.crt'), 'garbage'),
    ],
  ]
}
