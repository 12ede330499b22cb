import { createPrivateKey } from 'node:crypto'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { OrderGone, ProofFailed } from '../../certificates/acme/failure.ts'
import { readCertificateState, updateCertificateState } from '../../certificates/acme/state.ts'
import { coversHosts, parseCertificate } from '../../certificates/renewal.ts'
import { storePair } from '../../certificates/store.ts'
import { asAcmePart, newPrivateKey, pendingKeyFile } from '../acme.ts'
import type { Appliance } from '../appliance.ts'
import { type AcmeInput, keepOrder } from './acme-order.ts'

/** How long the server may take to issue (Let's Encrypt: seconds). */
const ISSUE_MS = 2 * MINUTE_MS

/** Makes the key of the certificate and has it issued. */
export const acmeFinalize = (appliance: Appliance) =>
  defineStep<AcmeInput, null>({
    kind: 'acme.finalize',
    describe: ({ hosts }) => `Make a new key and have the certificate for ${hosts.join(', ')} issued`,
    async check({ name }) {
      const order = await orderOf(appliance, name)
      return order?.finalized ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(wanted, _before, { signal }) {
      await asAcmePart(appliance, wanted, signal, async (session) => {
        const order = await orderOf(appliance, wanted.name)
        if (!order) throw new OrderGone('not known any more')
        const key = await pendingKey(appliance, wanted.name)
        await session.finalize(order.url, wanted.hosts, key)
        const found = await session.poll(
          () => session.look(order.url),
          ({ status }) => status === 'valid' || status === 'invalid',
          ISSUE_MS,
          signal,
        )
        if (found.status === 'invalid' && found.problem) {
          throw new ProofFailed([{ host: wanted.hosts.join(', '), problem: found.problem }])
        }
        if (found.status !== 'valid') throw new OrderGone(found.status)
        await keepOrder(appliance, wanted, { ...order, finalized: true })
      })
    },
    undo: 'not-needed',
    timeoutMs: 5 * MINUTE_MS,
  })

/** Fetches the certificate and keeps it with its key. */
export const acmeDownload = (appliance: Appliance) =>
  defineStep<AcmeInput, null>({
    kind: 'acme.download',
    describe: ({ hosts }) => `Fetch the certificate for ${hosts.join(', ')}`,
    async check({ name }) {
      return (await orderOf(appliance, name)) ? { state: 'needed', before: null } : { state: 'done' }
    },
    async apply(wanted, _before, { signal }) {
      const { ports, stateFolder, folders } = appliance
      const { name, hosts } = wanted
      await asAcmePart(appliance, wanted, signal, async (session) => {
        const order = await orderOf(appliance, name)
        const key = await readPendingKey(appliance, name)
        if (!order || !key) throw new OrderGone('of a key that is lost')
        const pem = await session.download(order.url)
        if (!fits(pem, key, hosts)) throw new OrderGone('not what was ordered')
        await storePair(ports.files, folders.certificates, name, 'acme', pem, key)
        await updateCertificateState(ports.files, stateFolder, ({ certificates }) => ({
          certificates: { ...certificates, [name]: { obtainedAt: ports.clock.now().toISOString() } },
        }))
        await ports.files.remove(pendingKeyFile(appliance, name))
      })
    },
    undo: 'not-needed',
    timeoutMs: 2 * MINUTE_MS,
  })

async function orderOf({ ports, stateFolder }: Appliance, name: string) {
  return (await readCertificateState(ports.files, stateFolder)).certificates[name]?.order
}

/** The key that waits for its certificate: whoever goes on after a crash needs the same. */
async function pendingKey(appliance: Appliance, name: string): Promise<Secret> {
  const present = await readPendingKey(appliance, name)
  if (present) return present
  const key = await newPrivateKey('server-key')
  const { ports, folders } = appliance
  await ports.files.makeFolder(folders.certificates, 0o711)
  await writeDurably(ports.files, pendingKeyFile(appliance, name), key.reveal(), 0o600)
  return key
}

async function readPendingKey(appliance: Appliance, name: string): Promise<Secret | undefined> {
  const text = await appliance.ports.files.readText(pendingKeyFile(appliance, name))
  return text === undefined ? undefined : new Secret('server-key', text)
}

function fits(pem: string, key: Secret, hosts: readonly string[]): boolean {
  return coversHosts(pem, hosts) && parseCertificate(pem).checkPrivateKey(createPrivateKey(key.reveal()))
}
