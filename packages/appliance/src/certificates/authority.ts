import 'reflect-metadata'
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto'
import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import * as x509 from '@peculiar/x509'
import { isAddress } from './renewal.ts'

/** EC P-256 with SHA-256: small, fast, understood by every browser and by openssl. */
const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const
/** The authority lives as long as an appliance may. */
const AUTHORITY_DAYS = 20 * 365
/** Machines whose clock is behind must accept a certificate that was just made. */
const BACKDATED_MS = DAY_MS

x509.cryptoProvider.set(webcrypto as never)

export interface IssuedCertificate {
  readonly certPem: string
  readonly key: Secret
  readonly notAfter: Date
}

/** A new private key for the appliance's own authority, PKCS#8 PEM. Kept in the config. */
export async function createAuthorityKey(): Promise<Secret> {
  return new Secret('authority-key', (await newKeyPair()).pem)
}

/**
 * The certificate of the authority, PEM, valid 20 years. Made once and then kept: a second one for the same key
 * has another serial number and must be trusted anew.
 * @throws AppError CERTIFICATE_INVALID when the key is no EC P-256 key.
 */
export async function authorityCertificate(
  key: Secret,
  options: { readonly name: string; readonly now: Date },
): Promise<string> {
  const keys = await importKeyPair(key)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [options.name] }],
    notBefore: new Date(options.now.getTime() - BACKDATED_MS),
    notAfter: new Date(options.now.getTime() + AUTHORITY_DAYS * DAY_MS),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return pem(certificate)
}

/**
 * A server certificate with a new key for the given names (`*.name` and IP addresses included), valid from a day
 * before `now` for `days` days after it. `certPem` holds the chain: the certificate, then the authority.
 */
export async function issueServerCertificate(options: {
  readonly authorityKey: Secret
  readonly authorityPem: string
  readonly hosts: readonly string[]
  readonly now: Date
  readonly days: number
}): Promise<IssuedCertificate> {
  const issuer = new x509.X509Certificate(options.authorityPem)
  const authority = await importKeyPair(options.authorityKey)
  const server = await newKeyPair()
  const notAfter = new Date(options.now.getTime() + options.days * DAY_MS)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [commonName(options.hosts)] }],
    issuer: issuer.subjectName,
    notBefore: new Date(options.now.getTime() - BACKDATED_MS),
    notAfter,
    signingAlgorithm: SIGNING,
    publicKey: server.publicKey,
    signingKey: authority.privateKey,
    extensions: [
      ...serverExtensions(options.hosts),
      await x509.SubjectKeyIdentifierExtension.create(server.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return {
    certPem: `${pem(certificate)}${options.authorityPem.trim()}\n`,
    key: new Secret('server-key', server.pem),
    notAfter,
  }
}

/** A certificate signed by its own key, for when nothing better is there. Browsers warn, and the page is seen. */
export async function selfSignedCertificate(options: {
  readonly hosts: readonly string[]
  readonly now: Date
  readonly days: number
}): Promise<IssuedCertificate> {
  const keys = await newKeyPair()
  const notAfter = new Date(options.now.getTime() + options.days * DAY_MS)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName(options.hosts)] }],
    notBefore: new Date(options.now.getTime() - BACKDATED_MS),
    notAfter,
    signingAlgorithm: SIGNING,
    keys,
    extensions: serverExtensions(options.hosts),
  })
  return { certPem: pem(certificate), key: new Secret('server-key', keys.pem), notAfter }
}

function serverExtensions(hosts: readonly string[]): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(
      hosts.map((host) => ({ type: isAddress(host) ? 'ip' : 'dns', value: host })),
    ),
  ]
}

/** A common name holds at most 64 characters (RFC 5280, ub-common-name); clients read the alternative names. */
function commonName(hosts: readonly string[]): string {
  return (hosts[0] ?? 'caretaker').slice(0, 64)
}

/** 127 random bits, positive and never zero at the front (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40
  return bytes.toString('hex')
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`
}

type KeyPair = CryptoKeyPair & { readonly pem: string }
type CryptoKeyPair = Awaited<ReturnType<typeof generate>>

async function generate() {
  return await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify'])
}

async function newKeyPair(): Promise<KeyPair> {
  const keys = await generate()
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  const text = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' }).export({
    format: 'pem',
    type: 'pkcs8',
  })
  return { ...keys, pem: text.toString() }
}

async function importKeyPair(key: Secret): Promise<CryptoKeyPair> {
  try {
    const privateKey = createPrivateKey(key.reveal())
    const publicKey = createPublicKey(privateKey)
    return {
      privateKey: privateKey.toCryptoKey(KEY_ALGORITHM, true, ['sign']),
      publicKey: publicKey.toCryptoKey(KEY_ALGORITHM, true, ['verify']),
    }
  } catch (cause) {
    throw new AppError('CERTIFICATE_INVALID', {
      what: 'The key of the authority cannot be used',
      why: messageOf(cause),
      next: 'The key must be an EC P-256 private key as PKCS#8 PEM; restore the config that holds it',
      cause,
    })
  }
}
