import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGatewayClient, storeGatewayConfig } from '@caretaker/appliance/gateway/client.ts'
import { describeGateway } from '@caretaker/appliance/gateway/conformance.ts'
import { gatewayPaths } from '@caretaker/appliance/gateway/gateway.ts'
import type { GatewayLab } from '@caretaker/appliance/gateway/lab.ts'
import { createHost } from '../host.ts'
import { labUpstreams, makeLabConfig, peakMemoryOf, startGateway } from './conformance.fixture.ts'
import { createLabClient } from './lab-client.ts'

const host = createHost()

describeGateway('embedded', async (): Promise<GatewayLab> => {
  const state = await mkdtemp(join(tmpdir(), 'caretaker-gateway-'))
  const paths = gatewayPaths(state)
  const { config, authorityPem } = await makeLabConfig(paths)
  await storeGatewayConfig(host, paths, config)
  const upstreams = labUpstreams()
  let child = await startGateway(state)
  return {
    gateway: createGatewayClient(host, paths),
    config,
    ...createLabClient(config, authorityPem),
    ...upstreams,
    peakMemoryBytes: () => peakMemoryOf(child.pid),
    async crash() {
      child.kill('SIGKILL')
      await once(child, 'exit')
      child = await startGateway(state)
    },
    async prove(token, answer) {
      await mkdir(paths.challengeFolder, { recursive: true })
      await writeFile(join(paths.challengeFolder, token), answer)
    },
    async close() {
      child.kill('SIGTERM')
      await once(child, 'exit')
      await upstreams.close()
      await rm(state, { recursive: true })
    },
  }
})
