import { ownApplications } from '../config/clone.ts'
import type { Config } from '../config/config.ts'

/** A certificate that is to be had from the ACME server. */
export interface WantedCertificate {
  /** `app-NAME`, or `wildcard`. */
  readonly name: string
  readonly hosts: readonly string[]
}

export const WILDCARD = 'wildcard'

/**
 * One certificate for each application, with its hosts and aliases; with a wildcard those applications have it in
 * common whose names are all DOMAIN or one label below. The appliance's own name is no application: it has one of the
 * own authority, or the wildcard; so have clones, which come and go. Pure.
 */
export function wantedCertificates(config: Config): readonly WantedCertificate[] {
  const { domain } = config.identity
  const isBelow = (host: string) =>
    host === domain || (host.endsWith(`.${domain}`) && !host.slice(0, -domain.length - 1).includes('.'))
  const own = Object.entries(ownApplications(config)).map(([app, { hosts, aliases }]) => ({
    name: `app-${app}`,
    hosts: [...new Set([...hosts, ...aliases])],
  }))
  if (!config.tls.acme.wildcard) return own
  const others = own.filter(({ hosts }) => !hosts.every(isBelow))
  return [{ name: WILDCARD, hosts: [`*.${domain}`, domain] }, ...others]
}
