import type { Config } from './config.ts'
import type { Conflict } from './conflicts.ts'

/** What the settings of the chosen way to certificates lack, or have that cannot work together. */
export function findTlsConflicts({ tls, gateway }: Config): Conflict[] {
  if (tls.mode === 'provided' && tls.provided.length === 0) {
    const why = 'tls.mode is "provided", but tls.provided names no certificate'
    const next = 'Add an entry with "certificate" and "key" to tls.provided, or choose another mode'
    return [{ path: ['tls', 'mode'], why, next }]
  }
  return tls.mode === 'acme' ? findAcmeConflicts(tls.acme, gateway.http_port) : []
}

function findAcmeConflicts(acme: Config['tls']['acme'], httpPort: number | null): Conflict[] {
  const conflicts: Conflict[] = []
  const add = (key: string, why: string, next: string) =>
    conflicts.push({ path: ['tls', 'acme', key], why, next })
  if (!acme.accept_terms) {
    const next = `Read them (${acme.directory} names them), then write "accept_terms: true"`
    add(
      'accept_terms',
      'ACME needs your agreement to the terms of service of the certificate authority',
      next,
    )
  }
  if (acme.challenge === 'http-01' && httpPort === null) {
    const next = 'Set gateway.http_port (80 from outside), or use the challenge "dns-01"'
    add('challenge', 'the challenge http-01 comes over HTTP, but gateway.http_port is null', next)
  }
  if (acme.wildcard && acme.challenge !== 'dns-01') {
    add('wildcard', 'a wildcard can only be proved by dns-01', 'Use the challenge "dns-01"')
  }
  if (acme.challenge !== 'dns-01') return conflicts
  const { command, server, tsig_name, tsig_secret } = acme.dns
  if ((command === undefined) === (server === undefined)) {
    const why = `the challenge dns-01 needs a program or a server that sets records, and ${command ? 'both are' : 'neither is'} given`
    add('dns', why, 'Set either tls.acme.dns.command or tls.acme.dns.server')
  }
  if ((tsig_name === undefined) !== (tsig_secret === undefined)) {
    add('dns', 'a TSIG key needs both tsig_name and tsig_secret', 'Set both, or none')
  }
  return conflicts
}
