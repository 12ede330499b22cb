import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authorityCertificate, createAuthorityKey } from '@caretaker/appliance/certificates/authority.ts'
import { ensureServerCertificate } from '@caretaker/appliance/certificates/server-certificate.ts'
import { createGatewayClient, storeGatewayConfig } from '@caretaker/appliance/gateway/client.ts'
import { describeGateway } from '@caretaker/appliance/gateway/conformance.ts'
import { type GatewayPaths, gatewayPaths } from '@caretaker/appliance/gateway/gateway.ts'
import type { GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import type { GatewayLab } from '@caretaker/appliance/gateway/lab.ts'
import { KIB } from '@caretaker/kernel/units.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { createHost } from '../host.ts'
import { createLabClient } from './lab-client.ts'
import { startLabUpstream } from './lab-upstream.ts'

const host = createHost()

describeGateway('embedded', async (): Promise<GatewayLab> => {
  const state = await mkdtemp(join(tmpdir(), 'caretaker-gateway-'))
  const paths = gatewayPaths(state)
  const { config, authorityPem } = await makeConfig(paths)
  await storeGatewayConfig(host, paths, config)
  const gateway = createGatewayClient(host, paths)
  const upstreams: { close(): Promise<void> }[] = []
  let child = await startGateway(state)
  return {
    gateway,
    config,
    ...createLabClient(config, authorityPem),
    async startUpstream() {
      const upstream = await startLabUpstream()
      upstreams.push(upstream)
      return upstream
    },
    deadEndpoint: async () => ({ host: '127.0.0.1', port: await host.network.freePort() }),
    async peakMemoryBytes() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
      return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1]) * KIB
    },
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
      await Promise.all(upstreams.map((upstream) => upstream.close()))
      await rm(state, { recursive: true })
    },
  }
})

async function makeConfig(paths: GatewayPaths): Promise<{ config: GatewayConfig; authorityPem: string }> {
  const authorityKey = await createAuthorityKey()
  const authorityPem = await authorityCertificate(authorityKey, {
    name: 'Caretaker lab',
    now: host.clock.now(),
  })
  const certificate = await ensureServerCertificate(host, {
    folder: join(paths.folder, 'certificates'),
    name: 'lab',
    hosts: ['localhost', '*.localhost', 'guestbook.localhost', '127.0.0.1'],
    authorityKey,
    authorityPem,
  })
  const endpoint = async () => ({ host: '127.0.0.1', port: await host.network.freePort() })
  const config: GatewayConfig = {
    applianceId: 'lab',
    http: await endpoint(),
    https: await endpoint(),
    certificates: [certificate],
    routes: [],
    trustedProxies: [],
  }
  return { config, authorityPem }
}

/** Runs the gateway as the program does: in a process of its own. */
async function startGateway(state: string): Promise<ChildProcess> {
  const program = `
    const { runGateway } = await import(${JSON.stringify(import.meta.resolve('./gateway.ts'))})
    const { gatewayPaths } = await import(${JSON.stringify(import.meta.resolve('@caretaker/appliance/gateway/gateway.ts'))})
    const fallback = { https: { host: '127.0.0.1', port: 0 } }
    const gateway = await runGateway({ paths: gatewayPaths(${JSON.stringify(state)}), fallback })
    process.once('SIGTERM', () => void gateway.close(1000))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' })
  const client = createGatewayClient(host, gatewayPaths(state))
  const up = await waitUntil(host.clock, { timeoutMs: 20_000 }, async () => {
    const status = await client.status().catch(() => undefined)
    return status?.pid === child.pid && status?.https ? status : undefined
  })
  if (!up) throw new Error('the gateway did not come up')
  return child
}
