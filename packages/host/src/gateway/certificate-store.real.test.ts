import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selfSignedCertificate } from '@caretaker/appliance/certificates/authority.ts'
import type { GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import { afterAll, expect, it } from 'vitest'
import { loadCertificates } from './certificate-store.ts'

const folder = await mkdtemp(join(tmpdir(), 'caretaker-certificates-'))
afterAll(() => rm(folder, { recursive: true }))
const [certificateFile, keyFile] = [join(folder, 'a.crt'), join(folder, 'a.key')]
const make = () => selfSignedCertificate({ hosts: ['a.example'], now: new Date(), days: 1 })
const { certPem, key } = await make()
const other = (await make()).key.reveal()

it.each([
  ['a damaged key', certPem, 'garbage', keyFile],
  ['the key of another certificate', certPem, other, keyFile],
  ['a damaged certificate', 'garbage', key.reveal(), certificateFile],
])('%s is named by its own file', async (_what, certificate, keyText, named) => {
  await writeFile(certificateFile, certificate)
  await writeFile(keyFile, keyText)
  const config = { certificates: [{ hosts: ['a.example'], certificateFile, keyFile }], routes: [] }
  await expect(loadCertificates(config as unknown as GatewayConfig)).rejects.toMatchObject({
    code: 'CERTIFICATE_INVALID',
    why: expect.stringMatching(new RegExp(`^${named}: `)) as string,
  })
})
