import type { Files } from '@caretaker/ports/files.ts'
import type { GatewayPaths } from './gateway.ts'
import type { GatewayConfig } from './gateway-config.ts'

/** The config that the gateway was given last; undefined when there is none or it is damaged. */
export async function readGatewayConfig(appliance: {
  readonly ports: { readonly files: Pick<Files, 'readText'> }
  readonly gatewayPaths: GatewayPaths
}): Promise<GatewayConfig | undefined> {
  const text = await appliance.ports.files.readText(appliance.gatewayPaths.configFile)
  try {
    return text === undefined ? undefined : (JSON.parse(text) as GatewayConfig)
  } catch {
    return undefined
  }
}
