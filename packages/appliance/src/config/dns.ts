import { dkimPublicKey } from './create-keys.ts'

/** One record of the DNS, with what it is for. `name` is absolute, without the dot at the end. */
export interface DnsRecord {
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'MX' | 'TXT' | 'PTR'
  /** As a zone file has it: host names with a dot at the end, texts in quotes. */
  readonly value: string
  readonly purpose: string
}

/** What the records are made from. */
export interface DnsInput {
  readonly domain: string
  readonly hostname: string
  readonly adminEmail: string
  /** Every host name at which something is served: hosts and aliases of all applications. */
  readonly hosts: readonly string[]
  readonly dkimKeyPem: string
  /** Public addresses of the machine; without them the records hold the placeholder `<IPv4 ADDRESS>`. */
  readonly ipv4?: string | undefined
  readonly ipv6?: string | undefined
}

/** Selector of our DKIM key: the record stands at SELECTOR._domainkey.DOMAIN. */
export const DKIM_SELECTOR = 'caretaker'
/** RFC 1035, 3.3: a character-string holds at most 255 bytes; 250 leaves room for editors that count quotes. */
const LONGEST_STRING = 250

/** The records of an appliance: addresses of every host name, mail (MX, SPF, DMARC, DKIM) and reverse DNS. */
export function planDnsRecords(input: DnsInput): DnsRecord[] {
  const { domain, hostname } = input
  const hosts = [...new Set([hostname, ...input.hosts])]
  return [
    ...hosts.flatMap((host) => addresses(host, input)),
    {
      name: domain,
      type: 'MX',
      value: `10 ${hostname}.`,
      purpose: 'mail to the domain comes to this machine',
    },
    {
      name: domain,
      type: 'TXT',
      value: '"v=spf1 mx -all"',
      purpose: 'SPF: only this machine sends mail of the domain',
    },
    ...(hostname === domain
      ? []
      : [
          {
            name: hostname,
            type: 'TXT',
            value: '"v=spf1 a -all"',
            purpose: 'SPF of the machine itself',
          } as const,
        ]),
    ...hosts
      .filter((host) => host !== hostname && host !== domain)
      .map(
        (host): DnsRecord => ({
          name: host,
          type: 'TXT',
          value: '"v=spf1 -all"',
          purpose: 'SPF: no mail comes from here',
        }),
      ),
    {
      name: `_dmarc.${domain}`,
      type: 'TXT',
      value: `"v=DMARC1; p=quarantine; rua=mailto:${input.adminEmail}"`,
      purpose: 'DMARC: what others do with mail that fails SPF and DKIM',
    },
    {
      name: `${DKIM_SELECTOR}._domainkey.${domain}`,
      type: 'TXT',
      value: quoteText(`v=DKIM1; k=rsa; p=${dkimPublicKey(input.dkimKeyPem)}`),
      purpose: 'DKIM: the key that checks our signatures',
    },
    ...reverse(input),
  ]
}

/** One line of a zone file. */
export function formatDnsRecord(record: DnsRecord): string {
  return `${record.name}. 3600 IN ${record.type} ${record.value}`
}

/** A text as one or more quoted strings of at most 250 characters. */
export function quoteText(text: string): string {
  const parts = text.match(new RegExp(`.{1,${LONGEST_STRING}}`, 'g')) ?? ['']
  return parts.map((part) => `"${part.replaceAll(/["\\]/g, '\\$&')}"`).join(' ')
}

function addresses(name: string, { ipv4, ipv6 }: DnsInput): DnsRecord[] {
  const purpose = 'address of the machine'
  const four: DnsRecord = { name, type: 'A', value: ipv4 ?? '<IPv4 ADDRESS>', purpose }
  const six: DnsRecord = { name, type: 'AAAA', value: ipv6 ?? '', purpose }
  return [...(ipv4 !== undefined || ipv6 === undefined ? [four] : []), ...(ipv6 === undefined ? [] : [six])]
}

function reverse({ hostname, ipv4, ipv6 }: DnsInput): DnsRecord[] {
  const purpose = 'reverse DNS: set by whoever gave you the address'
  const record = (name: string): DnsRecord => ({ name, type: 'PTR', value: `${hostname}.`, purpose })
  if (ipv4 === undefined && ipv6 === undefined) return [record('<IPv4 ADDRESS REVERSED>.in-addr.arpa')]
  return [
    ...(ipv4 === undefined ? [] : [record(`${ipv4.split('.').toReversed().join('.')}.in-addr.arpa`)]),
    ...(ipv6 === undefined ? [] : [record(`${expand(ipv6).toReversed().join('.')}.ip6.arpa`)]),
  ]
}

/** The 32 hex digits of an IPv6 address without an embedded IPv4 part (RFC 3596, 2.5). */
function expand(ipv6: string): string[] {
  const [head = '', tail] = ipv6.toLowerCase().split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  const groups = tail === undefined ? left : [...left, ...zeros, ...right]
  return groups.flatMap((group) => group.padStart(4, '0').split(''))
}
