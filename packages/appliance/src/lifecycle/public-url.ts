import type { Appliance } from './appliance.ts'

/** The address under which people reach an application. */
export function publicUrl(appliance: Appliance, app: string): string {
  const { hosts, path_prefix } = appliance.config.applications[
    app
  ] as Appliance['config']['applications'][string]
  const port = appliance.config.gateway.https_port
  return `https://${hosts[0]}${port === 443 ? '' : `:${port}`}${path_prefix === '/' ? '' : path_prefix}`
}
