import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import {
  type CertificateState,
  readCertificateState,
  updateCertificateState,
  withCertificate,
} from '../../certificates/acme/state.ts'
import type { WantedCertificate } from '../../certificates/wanted.ts'
import { accountKey, asAcmePart, pendingKeyFile } from '../acme.ts'
import type { Appliance } from '../appliance.ts'

/** What the steps to one certificate are told; it stands in journals. */
export type AcmeInput = { readonly name: string; readonly hosts: readonly string[] }

/** Opens the account at the ACME server, or finds it. */
export const acmeAccount = (appliance: Appliance) =>
  defineStep<null, null>({
    kind: 'acme.account',
    describe: () => `Open the account at ${appliance.config.tls.acme.directory}`,
    async check() {
      const { account } = await readCertificateState(appliance.ports.files, appliance.stateFolder)
      const key = (await accountKey(appliance)).fingerprint()
      const isOpen = account?.directory === appliance.config.tls.acme.directory && account.key === key
      return isOpen ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(_input, _before, { signal }) {
      const { ports, stateFolder, config } = appliance
      const { directory } = config.tls.acme
      await asAcmePart(appliance, undefined, signal, async (session) => {
        const url = await session.register(config.identity.admin_email)
        const key = (await accountKey(appliance)).fingerprint()
        await updateCertificateState(ports.files, stateFolder, (state) => ({
          account: { directory, key, url },
          // Orders belong to their account.
          certificates: withoutOrders(state),
        }))
      })
    },
    undo: 'not-needed',
    timeoutMs: 2 * MINUTE_MS,
  })

/** Orders a certificate, unless an order is open that can be gone on with. */
export const acmeOrder = (appliance: Appliance) =>
  defineStep<AcmeInput, null>({
    kind: 'acme.order',
    describe: ({ hosts }) => `Order a certificate for ${hosts.join(', ')}`,
    async check({ name, hosts }) {
      const { ports, stateFolder } = appliance
      const { certificates } = await readCertificateState(ports.files, stateFolder)
      const order = certificates[name]?.order
      // Whether it has ended the server knows; our clock may be wrong.
      const isOpen = order !== undefined && order.hosts.join() === hosts.join()
      return isOpen ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(wanted, _before, { signal }) {
      const { ports } = appliance
      await asAcmePart(appliance, wanted, signal, async (session) => {
        // Each certificate has a key of its own.
        await ports.files.remove(pendingKeyFile(appliance, wanted.name))
        const { url } = await session.order(wanted.hosts)
        const order = { url, hosts: wanted.hosts, proved: false, finalized: false }
        await keepOrder(appliance, wanted, order)
      })
    },
    undo: 'not-needed',
    timeoutMs: 2 * MINUTE_MS,
  })

/** Remembers how far the order of a certificate is. */
export async function keepOrder(
  { ports, stateFolder }: Appliance,
  { name }: WantedCertificate,
  order: NonNullable<CertificateState['certificates'][string]['order']>,
): Promise<void> {
  await updateCertificateState(ports.files, stateFolder, (state) => withCertificate(state, name, { order }))
}

function withoutOrders({ certificates }: CertificateState): CertificateState['certificates'] {
  return Object.fromEntries(
    Object.entries(certificates).map(([name, { order: _order, ...kept }]) => [name, kept]),
  )
}
