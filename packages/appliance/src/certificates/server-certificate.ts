import { join } from 'node:path'
import { isAppError } from '@caretaker/kernel/errors.ts'
import type { Secret } from '@caretaker/kernel/secrets.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { GatewayCertificate } from '../gateway/gateway-config.ts'
import { isPair } from './pair.ts'
import { coversHosts, isIssuedBy, needsRenewal } from './renewal.ts'

/** Longest lifetime every browser accepts from a server certificate. */
const SERVER_CERTIFICATE_DAYS = 397

export interface CertificateRequest {
  /** Where certificate and key lie, as `<state>/gateway/certificates`. */
  readonly folder: string
  /** File name without ending; one name stands for one certificate. */
  readonly name: string
  readonly hosts: readonly string[]
  readonly authorityKey: Secret
  readonly authorityPem: string
}

/**
 * The certificate of the appliance's own authority for these hosts: the one on disk while it is good, else a new
 * one. Safe to repeat; a damaged pair is replaced. The files are readable by their owner only.
 */
export async function ensureServerCertificate(
  deps: Pick<Ports, 'files' | 'clock'>,
  request: CertificateRequest,
): Promise<GatewayCertificate> {
  const certificateFile = join(request.folder, `${request.name}.crt`)
  const keyFile = join(request.folder, `${request.name}.key`)
  const present = await deps.files.readText(certificateFile)
  const key = await deps.files.readText(keyFile)
  if (present === undefined || !isGood(present, key, request, deps.clock.now())) {
    // Loading the x509 library takes a while: only when a certificate is made.
    const { issueServerCertificate } = await import('./authority.ts')
    const issued = await issueServerCertificate({
      ...request,
      now: deps.clock.now(),
      days: SERVER_CERTIFICATE_DAYS,
    })
    await deps.files.makeFolder(request.folder, 0o700)
    // A crash between the two leaves a pair that does not fit: the old certificate goes first.
    await deps.files.remove(certificateFile)
    await writeDurably(deps.files, keyFile, issued.key.reveal())
    await writeDurably(deps.files, certificateFile, issued.certPem)
  }
  return { hosts: [...request.hosts], certificateFile, keyFile }
}

/** Whether the pair can be shown to visitors of these hosts, and need not be renewed. Pure. */
export function isGood(
  certPem: string,
  keyPem: string | undefined,
  request: Pick<CertificateRequest, 'hosts' | 'authorityPem'>,
  now: Date,
): boolean {
  try {
    return (
      keyPem !== undefined &&
      isPair(certPem, keyPem) &&
      !needsRenewal(certPem, now) &&
      coversHosts(certPem, request.hosts) &&
      isIssuedBy(certPem, request.authorityPem)
    )
  } catch (error) {
    if (isAppError(error, 'CERTIFICATE_INVALID')) return false
    throw error
  }
}
