import { X509Certificate } from 'node:crypto'
import { AppError, messageOf } from '@caretaker/kernel/errors.ts'

/** A certificate is renewed when this part of its lifetime is left; it counts for every lifetime alike. */
const RENEW_AT_FRACTION_LEFT = 1 / 3

/** @throws AppError CERTIFICATE_INVALID when the text is no certificate. */
export function parseCertificate(certPem: string): X509Certificate {
  try {
    return new X509Certificate(certPem)
  } catch (cause) {
    throw new AppError('CERTIFICATE_INVALID', {
      what: 'A certificate cannot be used',
      why: `it is not a PEM certificate: ${messageOf(cause)}`,
      next: 'Give the certificate as PEM, the server certificate first and its chain below',
      cause,
    })
  }
}

/** Whether a third or less of the lifetime is left, or the certificate is not valid yet. */
export function needsRenewal(certPem: string, now: Date): boolean {
  const certificate = parseCertificate(certPem)
  const from = certificate.validFromDate.getTime()
  const to = certificate.validToDate.getTime()
  return now.getTime() < from || to - now.getTime() <= (to - from) * RENEW_AT_FRACTION_LEFT
}

/** Whether the certificate names every one of the hosts (IP addresses included). */
export function coversHosts(certPem: string, hosts: readonly string[]): boolean {
  const certificate = parseCertificate(certPem)
  const names = (certificate.subjectAltName ?? '').split(', ')
  return hosts.every((host) => {
    if (host.startsWith('*.')) return names.includes(`DNS:${host}`)
    if (isAddress(host)) return certificate.checkIP(host) !== undefined
    return certificate.checkHost(host, { subject: 'never' }) !== undefined
  })
}

/** Whether a host is an IP address; it stands in a certificate as one. */
export function isAddress(host: string): boolean {
  return host.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(host)
}

/** Whether the certificate was issued by this authority. */
export function isIssuedBy(certPem: string, authorityPem: string): boolean {
  const authority = parseCertificate(authorityPem)
  const certificate = parseCertificate(certPem)
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
}
