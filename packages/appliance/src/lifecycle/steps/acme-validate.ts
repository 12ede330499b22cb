import { join } from 'node:path'
import { MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { defineStep, type StepContext } from '@caretaker/steps/step.ts'
import { changeDnsRecord, proofRecord } from '../../certificates/acme/dns-records.ts'
import { OrderGone, ProofFailed } from '../../certificates/acme/failure.ts'
import type { AcmeProof, AcmeSession } from '../../certificates/acme/session.ts'
import { readCertificateState } from '../../certificates/acme/state.ts'
import { asAcmePart } from '../acme.ts'
import type { Appliance } from '../appliance.ts'
import { type AcmeInput, keepOrder } from './acme-order.ts'

/** How long the server may take to look at every name (Let's Encrypt: seconds). */
const LOOK_MS = 2 * MINUTE_MS

/** Proves to the ACME server that the host names belong to this machine. */
export const acmeValidate = (appliance: Appliance) =>
  defineStep<AcmeInput, null>({
    kind: 'acme.validate',
    describe: ({ hosts }) => `Prove that ${hosts.join(', ')} belongs to this machine`,
    async check({ name }) {
      const order = await orderOf(appliance, name)
      return order?.proved ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(wanted, _before, context) {
      // It answers the questions of the server; without it the proof would fail, and be counted.
      if (appliance.config.tls.acme.challenge === 'http-01') await appliance.gateway.status()
      await asAcmePart(appliance, wanted, context.signal, async (session) => {
        const order = await orderOf(appliance, wanted.name)
        if (!order) throw new OrderGone('not known any more')
        await prove(appliance, session, order.url, context)
        await keepOrder(appliance, wanted, { ...order, proved: true })
      })
    },
    undo: 'not-needed',
    timeoutMs: 90 * MINUTE_MS,
  })

async function orderOf({ ports, stateFolder }: Appliance, name: string) {
  return (await readCertificateState(ports.files, stateFolder)).certificates[name]?.order
}

async function prove(
  appliance: Appliance,
  session: AcmeSession,
  orderUrl: string,
  context: StepContext,
): Promise<void> {
  const { challenge } = appliance.config.tls.acme
  const { status } = await session.look(orderUrl)
  if (status !== 'pending') return settle(appliance, session, orderUrl, status)
  const open = await session.authorizations(orderUrl, challenge)
  refuseWhatCannotBeProved(open, challenge)
  const proofs = open.flatMap(({ proof }) => (proof ? [proof] : []))
  try {
    await putInPlace(appliance, proofs, context)
    for (const proof of proofs) await proof.ready()
    const looked = await session.poll(
      () => session.look(orderUrl),
      (found) => found.status !== 'pending',
      LOOK_MS,
      context.signal,
    )
    await settle(appliance, session, orderUrl, looked.status)
  } finally {
    await takeAway(appliance, proofs)
  }
}

/** @throws OrderGone, ProofFailed unless the order is proved */
async function settle(
  appliance: Appliance,
  session: AcmeSession,
  orderUrl: string,
  status: string,
): Promise<void> {
  if (status === 'ready' || status === 'processing' || status === 'valid') return
  const looked = await session.authorizations(orderUrl, appliance.config.tls.acme.challenge)
  const failed = looked.filter((entry) => entry.status !== 'valid' && entry.status !== 'pending')
  if (failed.length > 0) throw new ProofFailed(failed)
  if (status === 'pending') {
    const waiting = looked.filter((entry) => entry.status === 'pending')
    const problem = { type: 'timeout', detail: 'the server has not looked at it in time', subproblems: [] }
    throw new ProofFailed(waiting.map(({ host }) => ({ host, problem })))
  }
  throw new OrderGone(status)
}

function refuseWhatCannotBeProved(
  open: readonly { readonly host: string; readonly status: string; readonly proof: AcmeProof | undefined }[],
  challenge: string,
): void {
  const detail = `the server does not offer ${challenge} for it`
  const failed = open
    .filter(({ status, proof }) => status === 'pending' && !proof)
    .map(({ host }) => ({ host, problem: { type: 'unsupported', detail, subproblems: [] } }))
  if (failed.length > 0) throw new ProofFailed(failed)
}

async function putInPlace(
  appliance: Appliance,
  proofs: readonly AcmeProof[],
  { signal, progress }: StepContext,
): Promise<void> {
  const { ports, config, gatewayPaths } = appliance
  const { challenge, dns } = config.tls.acme
  if (challenge === 'http-01') {
    await ports.files.makeFolder(gatewayPaths.challengeFolder, 0o700)
    for (const { token, answer } of proofs) await ports.files.write(challengeFile(appliance, token), answer)
    return
  }
  for (const { host, answer } of proofs) {
    await changeDnsRecord(ports.processes, dns, 'present', proofRecord(host, answer), signal)
  }
  progress(`waiting ${dns.wait_seconds} s until every name server has the record`)
  await ports.clock.wait(dns.wait_seconds * SECOND_MS, signal)
}

/** What stays behind does no harm: it proves nothing any more. */
async function takeAway(appliance: Appliance, proofs: readonly AcmeProof[]): Promise<void> {
  const { ports, config } = appliance
  const { challenge, dns } = config.tls.acme
  for (const { host, token, answer } of proofs) {
    if (challenge === 'http-01') await ports.files.remove(challengeFile(appliance, token))
    else {
      const removed = changeDnsRecord(ports.processes, dns, 'cleanup', proofRecord(host, answer))
      await removed.catch(() => undefined)
    }
  }
}

/** Tokens are of the base64url alphabet (RFC 8555, 8.3); one that is not is no name of a file. */
function challengeFile({ gatewayPaths }: Appliance, token: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(token)) throw new Error('the server gave a token that is none')
  return join(gatewayPaths.challengeFolder, token)
}
