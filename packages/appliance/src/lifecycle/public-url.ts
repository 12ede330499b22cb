import type { Appliance } from './appliance.ts'

/** The address under which people reach an application. */
export function publicUrl(appliance: Appliance, app: string): string {
  const { hosts, path_prefix } = appliance.config.applications[
    app
  ] as Appliance['config']['applications'][string]
  return `${hostUrl(appliance, hosts[0] ?? '')}${path_prefix === '/' ? '' : path_prefix}`
}

/** The address of a host name that the gateway answers for, without a slash at the end. */
export function hostUrl({ config }: Pick<Appliance, 'config'>, host: string): string {
  const port = config.gateway.https_port
  return `https://${host}${port === 443 ? '' : `:${port}`}`
}
