import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { readCertificateState } from '../certificates/acme/state.ts'
import type { Candidate, CertificateSource } from '../certificates/choose.ts'
import { decideDue } from '../certificates/due.ts'
import { parseCertificate } from '../certificates/renewal.ts'
import { WILDCARD, wantedCertificates } from '../certificates/wanted.ts'
import type { Appliance } from './appliance.ts'
import { certificateCandidates, chosenForHosts, type HostChoice } from './chosen-certificates.ts'
import { readFacts } from './facts.ts'
import { renewCertificatesLocked } from './housekeeping.ts'
import { withGuests } from './lock-guests.ts'
import { wronglyShown } from './steps/certificates-serve.ts'
import { CERTIFICATES, type TendOptions, type TendResult } from './tend-certificates.ts'

/** How one host name stands. Instants in ISO 8601. */
export interface CertificateLine {
  readonly host: string
  /** What "cert renew" takes: `app-NAME` or `wildcard`; null for one of the own authority. */
  readonly certificate: string | null
  readonly source: CertificateSource
  readonly issuer: string
  readonly not_after: string
  readonly days_left: number
  /** Whether a visitor is shown it; null while the gateway does not run. */
  readonly shown: boolean | null
  /** When one is asked for next; null when that follows from its end. */
  readonly next_try_at: string | null
  /** Why the last try failed. */
  readonly problem: ErrorReport | null
}

export interface CertificatesReport {
  readonly mode: 'own-ca' | 'acme' | 'provided'
  readonly certificates: readonly CertificateLine[]
  /** What is wrong on the whole. */
  readonly problem: ErrorReport | null
}

/** Every host name with the certificate it is shown. With `look` the gateway is asked as a visitor does. */
export async function reportCertificates(appliance: Appliance, look = true): Promise<CertificatesReport> {
  const { ports, config, stateFolder } = appliance
  const now = ports.clock.now()
  const candidates = await certificateCandidates(appliance)
  const state = await readCertificateState(ports.files, stateFolder)
  const wanted = config.tls.mode === 'acme' ? wantedCertificates(config) : []
  const isUp = look && (await appliance.gateway.status().catch(() => undefined)) !== undefined
  const wrong = isUp ? new Set((await wronglyShown(appliance)).map(({ host }) => host)) : undefined
  const { failures } = await readFacts(ports.files, stateFolder)
  return {
    mode: config.tls.mode,
    certificates: chosenForHosts(config, candidates, now).map((choice) => {
      const order =
        wanted.find(({ name }) => name === choice.owner) ??
        (choice.owner === 'appliance' ? undefined : wanted.find(({ name }) => name === WILDCARD))
      const decision = order && decideDue(order, candidates, state, now, false)
      const retry = order && (state.certificates[order.name]?.retry ?? state.directory)
      return {
        ...lineOf(choice, now),
        certificate: order?.name ?? null,
        shown: wrong ? !wrong.has(choice.host) : null,
        next_try_at:
          decision?.action === 'wait'
            ? decision.until
            : decision?.action === 'get'
              ? now.toISOString()
              : null,
        problem: retry?.error ?? null,
      }
    }),
    problem: failures[CERTIFICATES] ?? null,
  }
}

/**
 * Gets what is due now; with `names` these (none: all) although they are not due, or would have to wait.
 * @throws AppError LOCKED, CERTIFICATE_UNKNOWN
 */
export async function renewCertificates(
  appliance: Appliance,
  names: readonly string[] | 'all' | undefined,
  options: Pick<TendOptions, 'emit' | 'signal'>,
): Promise<TendResult> {
  const { ports, stateFolder, actor, pid, config } = appliance
  const known = config.tls.mode === 'acme' ? wantedCertificates(config).map(({ name }) => name) : []
  const unknown = names === 'all' ? undefined : names?.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new AppError('CERTIFICATE_UNKNOWN', {
      what: `There is no certificate "${unknown}" to be renewed`,
      why: known.length === 0 ? 'tls.mode is not "acme"' : `the certificates are ${known.join(', ')}`,
      next: 'caretaker cert list',
    })
  }
  return withOperationLock(ports, stateFolder, { actor, purpose: 'renew certificates', pid }, () =>
    withGuests(stateFolder, () =>
      renewCertificatesLocked(appliance, { ...options, ...(names ? { asked: names } : {}) }),
    ),
  )
}

function lineOf({ host, candidate }: HostChoice, now: Date) {
  const { source, pem }: Candidate = candidate
  const { issuer, validToDate } = parseCertificate(pem)
  return {
    host,
    source,
    issuer: /(?:^|\n)CN=(.*)/.exec(issuer)?.[1] ?? issuer.replaceAll('\n', ', '),
    not_after: validToDate.toISOString(),
    days_left: Math.floor((validToDate.getTime() - now.getTime()) / DAY_MS),
  }
}
