import { isAppName } from '@caretaker/kernel/ids.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import * as z from 'zod'
import * as values from './values.ts'

/**
 * The one schema of what stands under `caretaker:`. It parses, its descriptions are the comments of a created
 * config, and {@link configJsonSchema} publishes it. A message says what the value must be.
 */

/** A text that a function of values.ts accepts. */
function text(check: (text: string) => values.ValueProblem | undefined) {
  return z.string().check((context) => {
    const problem = check(context.value)
    if (problem === undefined) return
    const { must, suggestion } = problem
    context.issues.push({ code: 'custom', message: must, params: { suggestion }, input: context.value })
  })
}

function plainText(longest: number) {
  return z.string().min(1, 'must not be empty').max(longest, `must have at most ${longest} characters`)
}

function wholeNumber(least: number, most: number) {
  const must = `must be a whole number from ${least} to ${most}`
  return z.int(must).min(least, must).max(most, must)
}

const hostName = text(values.checkHostName)
const folder = text(values.checkFolder).min(1, 'must not be empty')
const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable: letters, digits and _, no digit first')
const port = wholeNumber(1, 65_535)
const ipMust = 'must be an IP address, as 0.0.0.0, 127.0.0.1 or ::'
const cidrMust = 'must be a range of addresses in CIDR form, as 10.0.0.0/8 or fd00::/8'

function secret(name: string, inner: z.ZodType<string>) {
  return inner.transform((value) => new Secret(name, value)).meta({ secret: true })
}

const identity = z.strictObject({
  domain: hostName.describe(
    'Domain of the appliance. Applications are reached at NAME.DOMAIN unless they say otherwise.',
  ),
  hostname: hostName
    .optional()
    .describe('Full host name of this machine: for mail and reverse DNS. Default: appliance.DOMAIN.'),
  time_zone: text(values.checkTimeZone)
    .default('UTC')
    .describe('Time zone of schedules and of the applications: an IANA name, as Europe/Vienna.'),
  admin_email: text(values.checkEmail).describe(
    'Address of the person responsible: reports and alerts go there.',
  ),
})

const storage = z.strictObject({
  backend: z
    .enum(['directory', 'btrfs'])
    .default('directory')
    .describe(
      'How data volumes are kept: "directory" (folders; a snapshot is a copy, made during a hold), or "btrfs" (subvolumes; instant snapshots; as root, with the data folder on btrfs). Not to be changed later.',
    ),
  data: folder
    .default('data')
    .describe(
      'Folder of the data volume: what must never be lost. A relative path lies in the state folder.',
    ),
  volatile: folder
    .default('volatile')
    .describe(
      'Folder of the volatile volume: caches, logs, temporary files. A relative path lies in the state folder.',
    ),
  reserve_percent: wholeNumber(1, 50)
    .default(10)
    .describe(
      'Reserve line: updates and clones are refused when less than this much of the data volume stays free [%].',
    ),
  warn_percent: wholeNumber(1, 99)
    .default(80)
    .describe('Warn when more than this much of the data volume is used [%].'),
})

const gateway = z.strictObject({
  engine: z
    .enum(['embedded', 'caddy'])
    .default('embedded')
    .describe(
      'What holds the ports: "embedded" (the gateway of caretaker itself), or "caddy" (Caddy of this machine, 2.6 or newer, with the gateway behind it: HTTP/2).',
    ),
  bind: z
    .union([z.ipv4(), z.ipv6()], ipMust)
    .default('0.0.0.0')
    .describe(
      'Address the gateway listens on: 0.0.0.0 is every IPv4 address, :: every address, 127.0.0.1 this machine only.',
    ),
  http_port: z
    .union([port, z.null()], 'must be a whole number from 1 to 65535, or null for none')
    .default(80)
    .describe('Port for HTTP, which redirects to HTTPS; null for none.'),
  https_port: port.default(443).describe('Port for HTTPS.'),
  trusted_proxies: z
    .array(z.union([z.cidrv4(), z.cidrv6()], cidrMust))
    .default([])
    .describe(
      'Ranges of load balancers in front of the gateway: only their X-Forwarded-* headers are believed. For example ["10.0.0.0/8"].',
    ),
  proxy_protocol: z
    .boolean()
    .default(false)
    .describe(
      'Whether the load balancers in "trusted_proxies" begin each connection with the PROXY protocol (version 1 or 2), which tells the address of the client. All of them must then, and nobody else may.',
    ),
  hold_seconds: wholeNumber(1, 600)
    .default(30)
    .describe(
      'How long a request waits at most while an application is switched [s]; then the service page answers.',
    ),
})

const acmeDns = z.strictObject({
  command: z
    .array(plainText(1000))
    .min(1, 'must name a program, as ["/usr/local/bin/dns-hook"]')
    .optional()
    .describe(
      'Program that sets DNS records: called with "present NAME VALUE" and "cleanup NAME VALUE" after its own arguments.',
    )
    .meta({ examples: [['/usr/local/bin/dns-hook']] }),
  server: plainText(300)
    .regex(/^[A-Za-z0-9.:_-]+$/, 'must be a host name or IP address')
    .optional()
    .describe('Instead of a program: name server that takes dynamic updates (RFC 2136), by "nsupdate".')
    .meta({ examples: ['ns1.example.org'] }),
  port: port.default(53).describe('Its port.'),
  tsig_name: plainText(253)
    .regex(/^[A-Za-z0-9._-]+$/, 'must be the name of a TSIG key')
    .optional()
    .describe('Name of the TSIG key that signs the updates.')
    .meta({ examples: ['caretaker'] }),
  tsig_algorithm: z
    .enum(['hmac-sha256', 'hmac-sha384', 'hmac-sha512'])
    .default('hmac-sha256')
    .describe('Algorithm of the TSIG key: hmac-sha256, hmac-sha384 or hmac-sha512.'),
  tsig_secret: secret(
    'tls.acme.dns.tsig_secret',
    z.string().regex(/^[A-Za-z0-9+/]{16,}={0,2}$/, 'must be the secret of a TSIG key in base64'),
  )
    .optional()
    .describe('Secret of the TSIG key, in base64.')
    .meta({ examples: ['...'] }),
  wait_seconds: wholeNumber(0, 3600)
    .default(30)
    .describe('How long a record needs to reach every name server of the zone [s].'),
})

const externalAccount = z.strictObject({
  key_id: plainText(500).describe('Id of the key that the certificate authority gave you.'),
  hmac_key: secret(
    'tls.acme.external_account.hmac_key',
    z.string().regex(/^[A-Za-z0-9_+/-]{16,}={0,2}$/, 'must be the HMAC key in base64url'),
  ).describe('The HMAC key that belongs to it, in base64url.'),
})

const acme = z.strictObject({
  directory: z
    .string()
    .regex(/^https:\/\/[^\s@]+$/, 'must be an https:// address without a password')
    .default('https://acme-v02.api.letsencrypt.org/directory')
    .describe("Address of the ACME directory. Default: Let's Encrypt."),
  accept_terms: z
    .boolean()
    .default(false)
    .describe('Whether you agree to the terms of service of the certificate authority; required for ACME.'),
  challenge: z
    .enum(['http-01', 'dns-01'])
    .default('http-01')
    .describe('How host names are proved: "http-01" (a file over HTTP, port 80) or "dns-01" (a DNS record).'),
  wildcard: z
    .boolean()
    .default(false)
    .describe('One certificate for *.DOMAIN and DOMAIN instead of one per application; needs "dns-01".'),
  trusted_ca: folder
    .min(1, 'must not be empty')
    .optional()
    .describe(
      'PEM file of the authority behind the TLS of the directory, for one of your own. Default: the public ones.',
    )
    .meta({ examples: ['/etc/ssl/acme-directory.pem'] }),
  external_account: externalAccount
    .optional()
    .describe('External account binding, where the certificate authority asks for one.')
    .meta({ examples: [{ key_id: 'kid-1', hmac_key: '...' }] }),
  dns: acmeDns.prefault({}).describe('How DNS records are set for "dns-01".'),
})

const tls = z.strictObject({
  mode: z
    .enum(['own-ca', 'acme', 'provided'])
    .default('own-ca')
    .describe(
      'Where certificates come from: "own-ca" (issued by the CA of this appliance), "acme" (issued by a public CA) or "provided" (files of yours).',
    ),
  acme: acme.prefault({}).describe('Certificates by ACME. Contact of the account is identity.admin_email.'),
  provided: z
    .array(
      z.strictObject({
        certificate: folder
          .min(1, 'must not be empty')
          .describe('PEM file: the certificate, then its chain.'),
        key: folder
          .min(1, 'must not be empty')
          .describe('PEM file of its private key; nobody else may be able to read it.'),
      }),
    )
    .default([])
    .describe(
      'Certificates of yours, each a "certificate" and a "key" file, taken for the hosts that they name and read again when they change.',
    ),
})

const application = z.strictObject({
  source: plainText(2000)
    .refine(
      (value) => !value.startsWith('-'),
      'must be a folder, an archive or a git URL, and must not begin with "-"',
    )
    .refine(
      (value) => !/^[a-z0-9+.-]+:\/\/[^/@]*:[^/@]*@/i.test(value),
      'must hold no password: it would be seen in the list of processes. Use ssh:// with a key',
    )
    .describe('Where it comes from: a folder, an archive or a git URL.'),
  ref: plainText(200)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._/+-]*$/, 'must be the name of a branch or tag, or a commit')
    .optional()
    .describe('Branch, tag or commit of a git URL. Default: the default branch.')
    .meta({ examples: ['v1.0.0'] }),
  hosts: z
    .array(hostName)
    .min(1, 'must name at least one host, or be removed for NAME.DOMAIN')
    .optional()
    .describe('Host names it is reached at; the first is its public URL. Default: NAME.DOMAIN.'),
  aliases: z.array(hostName).default([]).describe('Host names that redirect to the first of "hosts".'),
  path_prefix: text(values.checkPathPrefix)
    .default('/')
    .describe('Path below which it answers; applications with different prefixes may share a host.'),
  environment: z
    .record(variableName, z.string())
    .default({})
    .describe(
      'Settings that reach it as variables of its environment. Values are texts: write numbers in quotes.',
    ),
  secrets: z
    .record(variableName, z.string().min(1, 'must not be empty'))
    .default({})
    .describe('Secrets that reach it as files or variables, by the names its compose file declares.')
    .meta({ secret: true }),
})

const updates = z.strictObject({
  automatic: z
    .boolean()
    .default(false)
    .describe(
      'Whether applications are rehearsed and updated by themselves. false: a person does it ("caretaker app updates" lists what there is).',
    ),
  hold_days: wholeNumber(0, 365)
    .default(7)
    .describe('How long a release must be known before it is taken automatically [days].'),
  window: text(values.checkWindow)
    .default('sun 02:00-05:00')
    .describe(
      'When automatic updates begin, in the time zone of the appliance: days (all when left out) and times of day, as "mon-fri 01:00-04:30".',
    ),
})

const recover = z.strictObject({
  from_backup: z
    .boolean()
    .default(false)
    .describe('Restore everything from the newest backup when the data volume is empty.'),
  from_dump: plainText(2000)
    .optional()
    .describe('Import this database dump (a path) when there is no database yet.')
    .meta({ examples: ['/root/guestbook.dump'] }),
})

const keys = z.strictObject({
  ca_key: secret('keys.ca_key', text(values.checkEcKey)).describe(
    "Key of the appliance's own certificate authority: EC P-256, PKCS#8 PEM.",
  ),
  age_identity: secret('keys.age_identity', text(values.checkAgeIdentity)).describe(
    'age identity of the appliance: opens what is encrypted for it.',
  ),
  backup_key: secret('keys.backup_key', z.string().min(20, 'must have at least 20 characters')).describe(
    'Password of the backup repository. Without it no backup can be read.',
  ),
  dkim_key: secret('keys.dkim_key', text(values.checkRsaKey)).describe(
    'Key that signs outgoing mail (DKIM): RSA 2048, PKCS#8 PEM. Its public half stands in the DNS records.',
  ),
  acme_account_key: secret('keys.acme_account_key', text(values.checkEcKey))
    .optional()
    .describe(
      'Key of the ACME account: EC P-256, PKCS#8 PEM. Default: made and kept sealed by the appliance.',
    )
    .meta({ examples: ['-----BEGIN PRIVATE KEY-----...'] }),
  recovery: z
    .array(text(values.checkAgeRecipient))
    .default([])
    .describe(
      'age recipients whose identity stands only on paper or with persons: they can open backups and bundles too.',
    ),
})

const standbyMust = 'must be false, or the reason in quotes (1 to 200 characters)'

export const caretakerSchema = z.strictObject({
  id: z
    .uuid('must be a UUID')
    .describe('Id of the appliance; also written on its data volume. Never change it.'),
  identity: identity.describe('Who this appliance is.'),
  standby: z
    .union([z.literal(false), z.string().min(1).max(200)], standbyMust)
    .default(false)
    .describe('Stand by: serve nothing but a page with this reason (a text), or false.'),
  runtime: z
    .enum(['process', 'docker'])
    .default('process')
    .describe('What runs the applications: "process" (processes of this machine) or "docker" (containers).'),
  docker: z
    .strictObject({
      socket: text(values.checkFolder)
        .min(1, 'must not be empty')
        .default('/var/run/docker.sock')
        .describe('Unix socket of the container engine: an absolute path on this machine.'),
    })
    .prefault({})
    .describe('The container engine of the runtime "docker".'),
  storage: storage.prefault({}).describe('Where data lies.'),
  gateway: gateway.prefault({}).describe('The HTTPS front.'),
  tls: tls.prefault({}).describe('Certificates.'),
  postgres: z
    .strictObject({
      major: z
        .literal([15, 16, 17, 18])
        .default(17)
        .describe(
          'Postgres major of all databases: 15, 16, 17 or 18. A change converts none: with another major an existing one is not started.',
        ),
      image: plainText(300)
        .regex(/^[a-z0-9][\w.\-/:@]*$/i, 'must be the name of an image, as postgres:17')
        .optional()
        .describe('Image of the database server with the runtime "docker". Default: postgres:MAJOR.')
        .meta({ examples: ['postgres:17'] }),
    })
    .prefault({})
    .describe('The database provided to applications: one cluster per application.'),
  updates: updates.prefault({}).describe('Updates of the applications.'),
  recover: recover.prefault({}).describe('What to bring back on an empty machine.'),
  applications: z
    .record(
      z
        .string()
        .refine(
          isAppName,
          'must be a name: 1 to 40 of a-z, 0-9 and -, a letter first, no - last, and none of appliance, daemon, gateway, config, storage, operations, certificates',
        ),
      application,
    )
    .default({})
    .transform(hideSecrets)
    .describe('Applications by name. "caretaker app add NAME SOURCE" writes an entry.'),
  keys: keys.describe('All key material. This file is as secret as what it protects.'),
})

/** What the schema gives, before the defaults that depend on other values are filled in. */
export type ParsedCaretaker = z.output<typeof caretakerSchema>

function hideSecrets(applications: Record<string, z.output<typeof application>>) {
  return Object.fromEntries(
    Object.entries(applications).map(([name, entry]) => {
      const hidden = Object.entries(entry.secrets).map(
        ([key, value]) => [key, new Secret(`applications.${name}.secrets.${key}`, value)] as const,
      )
      return [name, { ...entry, secrets: Object.fromEntries(hidden) }]
    }),
  )
}
