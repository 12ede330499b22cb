import { X509Certificate } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHost } from '@caretaker/host/host.ts'
import { reservePort } from '@caretaker/host/reserved-port.fixture.ts'
import { readableId } from '@caretaker/kernel/ids.ts'
import { removeSealed } from '../../storage/seal.ts'
import { type CertificatesReport, renewCertificates, reportCertificates } from '../certificate-report.ts'
import { type Failure, readFacts } from '../facts.ts'
import { type UpReport, up } from '../up.ts'
import { type Lab, openLab } from './lab.fixture.ts'
import { openPebble, type Pebble, type PebbleShape } from './pebble.fixture.ts'

/** An appliance whose certificates come from a Pebble of its own. Disposing ends both. */
export interface AcmeLab extends AsyncDisposable {
  readonly lab: Lab
  readonly pebble: Pebble
  up(): Promise<UpReport>
  /** What the daemon's job does, and "caretaker cert renew" with names. */
  tend(asked?: readonly string[] | 'all'): Promise<void>
  report(): Promise<CertificatesReport>
  /** The certificate that a visitor is shown. */
  shown(host: string): Promise<X509Certificate>
  /** Common name of who issued it, without the part that is made up at each start. */
  issuer(host: string): Promise<'pebble' | 'own-ca'>
  /** Why the part `certificates` does not work. */
  failure(): Promise<Failure | undefined>
}

export async function openAcmeLab(
  apps: readonly string[],
  shape: Partial<PebbleShape> = {},
  acme: Readonly<Record<string, unknown>> = {},
): Promise<AcmeLab> {
  const lab = await openLab(Object.fromEntries(apps.map((name) => [name, {}])))
  const httpPort = await reservePort()
  const folder = join(tmpdir(), `pebble-${readableId(8)}`)
  await mkdir(folder, { mode: 0o755 })
  const pebble = await openPebble(folder, { httpPort, ...shape })
  await lab.configure(['gateway', 'http_port'], httpPort)
  await lab.configure(['tls'], {
    mode: 'acme',
    acme: { directory: pebble.directory, accept_terms: true, trusted_ca: pebble.trustedCa, ...acme },
  })
  const signal = new AbortController().signal
  const acmeLab: AcmeLab = {
    lab,
    pebble,
    async up() {
      return up((await lab.open()).appliance, { firstStart: false }, () => undefined, signal)
    },
    async tend(asked) {
      await renewCertificates((await lab.open()).appliance, asked, { emit: () => undefined, signal })
    },
    report: async () => reportCertificates((await lab.open()).appliance),
    async shown(host) {
      return new X509Certificate(
        await lab.ports.network.servedCertificate('127.0.0.1', lab.httpsPort, host, 5000),
      )
    },
    async issuer(host) {
      const { issuer } = await acmeLab.shown(host)
      return issuer.includes('Pebble') ? 'pebble' : 'own-ca'
    },
    failure: async () => (await readFacts(lab.ports.files, lab.stateFolder)).failures['certificates'],
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]()
      await pebble[Symbol.asyncDispose]()
      await removeSealed(createHost().files, folder)
    },
  }
  return acmeLab
}
