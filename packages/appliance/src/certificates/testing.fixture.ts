import { DAY_MS } from '@caretaker/kernel/time.ts'
import { authorityCertificate, createAuthorityKey, issueServerCertificate } from './authority.ts'
import type { Candidate, CertificateSource } from './choose.ts'

export const NOW = new Date('2026-11-20T09:00:00Z')

/** Days from {@link NOW}. */
export const inDays = (days: number) => new Date(NOW.getTime() + days * DAY_MS)

const authorityKey = await createAuthorityKey()
export const authorityPem = await authorityCertificate(authorityKey, { name: 'Test', now: inDays(-400) })

/** A certificate for these hosts, made `from` and valid for `days` days after it. */
export async function issue(hosts: readonly string[], from: Date, days: number) {
  return issueServerCertificate({ authorityKey, authorityPem, hosts, now: from, days })
}

/** The same as it lies ready. */
export async function candidate(
  source: CertificateSource,
  name: string,
  hosts: readonly string[],
  from: Date,
  days: number,
): Promise<Candidate> {
  const { certPem } = await issue(hosts, from, days)
  const base = `/certificates/${name}.${source}-${days}`
  return { source, name, certificateFile: `${base}.crt`, keyFile: `${base}.key`, pem: certPem }
}
