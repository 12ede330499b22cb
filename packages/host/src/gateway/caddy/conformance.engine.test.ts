import { canCaddy } from '@caretaker/appliance/gateway/caddy/caddy-version.ts'
import { describeGateway } from '@caretaker/appliance/gateway/conformance.ts'
import { caddyVersion, startCaddyLab } from './caddy-lab.fixture.ts'

const version = caddyVersion()

describeGateway(`Caddy ${version}`, () => startCaddyLab(), {
  proxyProtocol: canCaddy(version, 'proxyProtocol'),
})
