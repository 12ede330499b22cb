import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { ServedCertificate } from '@caretaker/appliance/gateway/gateway.ts'
import type { GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import { AppError, messageOf } from '@caretaker/kernel/errors.ts'

/** A self-signed certificate is made anew whenever the gateway starts or gets a config. */
const SELF_SIGNED_DAYS = 90

/** A certificate with chain and its key as PEM, for those hosts. */
export interface KeyMaterial {
  readonly hosts: readonly string[]
  readonly cert: string
  readonly key: string
  readonly selfSigned: boolean
}

/** Certificates ready to be shown. */
export interface CertificateStore {
  /** For a client that names a host without certificate, or none. */
  readonly fallback: { readonly cert: string; readonly key: string }
  contextFor(host: string): SecureContext | undefined
  readonly served: readonly ServedCertificate[]
  readonly materials: readonly KeyMaterial[]
}

/** Reads the certificates of a config. @throws AppError CERTIFICATE_INVALID naming the file. */
export async function loadCertificates(config: GatewayConfig): Promise<CertificateStore> {
  const materials = await Promise.all(config.certificates.map((entry) => load(entry)))
  if (materials.length === 0) return await selfSignedStore(config.routes.flatMap((route) => route.hosts))
  return storeOf(materials)
}

/** What is shown when no certificate can be: made up now, valid for these hosts and localhost. */
export async function selfSignedStore(hosts: readonly string[]): Promise<CertificateStore> {
  // Loading the x509 library takes a while: only when there is nothing better to show.
  const { selfSignedCertificate } = await import('@caretaker/appliance/certificates/authority.ts')
  const names = [...new Set(['localhost', '127.0.0.1', ...hosts])]
  const made = await selfSignedCertificate({ hosts: names, now: new Date(), days: SELF_SIGNED_DAYS })
  return storeOf([{ hosts: names, cert: made.certPem, key: made.key.reveal(), selfSigned: true }])
}

async function load(entry: GatewayConfig['certificates'][number]): Promise<KeyMaterial> {
  const [cert, key] = await Promise.all([readPem(entry.certificateFile), readPem(entry.keyFile)])
  const certificate = parsed(entry.certificateFile, () => new X509Certificate(cert))
  const privateKey = parsed(entry.keyFile, () => createPrivateKey(key))
  if (!certificate.checkPrivateKey(privateKey)) {
    throw invalid(entry.keyFile, `it is not the key of ${entry.certificateFile}`, undefined)
  }
  return { hosts: entry.hosts, cert, key, selfSigned: false }
}

function parsed<T>(file: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw invalid(file, messageOf(cause), cause)
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw invalid(path, messageOf(cause), cause)
  }
}

function storeOf(materials: readonly KeyMaterial[]): CertificateStore {
  const contexts = new Map<string, SecureContext>()
  for (const material of materials) {
    const context = createSecureContext({ cert: material.cert, key: material.key })
    for (const host of material.hosts) contexts.set(host, context)
  }
  return {
    materials,
    fallback: materials[0] as KeyMaterial,
    contextFor(host) {
      const name = host.toLowerCase()
      return contexts.get(name) ?? contexts.get(`*${name.slice(Math.max(0, name.indexOf('.')))}`)
    },
    served: materials.map(({ hosts, cert, selfSigned }) => {
      const certificate = new X509Certificate(cert)
      return {
        hosts,
        fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
        notAfter: certificate.validToDate.toISOString(),
        selfSigned,
      }
    }),
  }
}

function invalid(file: string, why: string, cause: unknown): AppError {
  return new AppError('CERTIFICATE_INVALID', {
    what: 'A certificate cannot be used',
    why: `${file}: ${why}`,
    next: 'Run "caretaker up"; it makes a new one, or says which provided certificate is wrong',
    cause,
  })
}
