import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'
import { chooseForHosts, fingerprintOf } from '../chosen-certificates.ts'
import { refreshGateway } from '../refresh-gateway.ts'

const HANDSHAKE_MS = 5 * SECOND_MS

/** Has the gateway show the certificates that were chosen, and looks at it as a visitor does. */
export const certificatesServe = (appliance: Appliance) =>
  defineStep<null, null>({
    kind: 'certificates.serve',
    describe: () => 'Have the gateway show the certificates, and look at what it shows',
    async check() {
      return (await wronglyShown(appliance)).length === 0
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply() {
      await refreshGateway(appliance)
      const wrong = await wronglyShown(appliance)
      if (wrong.length === 0) return
      throw new AppError('CERTIFICATE_NOT_SERVED', {
        what: `${wrong.map(({ host }) => host).join(', ')} is shown with another certificate than the one chosen`,
        why: wrong[0]?.why ?? '',
        next: 'Look at "caretaker logs gateway", then "caretaker up"',
      })
    },
    undo: 'not-needed',
    timeoutMs: 60 * SECOND_MS,
  })

/** The hosts at which a visitor is not shown what was chosen; a gateway that does not answer shows nothing wrong. */
export async function wronglyShown(
  appliance: Appliance,
): Promise<readonly { readonly host: string; readonly why: string }[]> {
  const status = await appliance.gateway.status().catch(() => undefined)
  if (!status?.https) return []
  const { port } = status.https
  const address = { '0.0.0.0': '127.0.0.1', '::': '::1' }[status.https.host] ?? status.https.host
  const wrong: { host: string; why: string }[] = []
  for (const { host, candidate } of await chooseForHosts(appliance)) {
    try {
      const shown = await appliance.ports.network.servedCertificate(address, port, host, HANDSHAKE_MS)
      if (fingerprintOf(shown) === fingerprintOf(candidate.pem)) continue
      wrong.push({ host, why: `at ${address}:${port} it is not ${candidate.certificateFile}` })
    } catch (error) {
      wrong.push({ host, why: messageOf(error) })
    }
  }
  return wrong
}
