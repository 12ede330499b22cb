import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGatewayClient, storeGatewayConfig } from '@caretaker/appliance/gateway/client.ts'
import { type GatewayPaths, gatewayPaths } from '@caretaker/appliance/gateway/gateway.ts'
import type { GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import type { GatewayLab } from '@caretaker/appliance/gateway/lab.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { createHost } from '../../host.ts'
import { labUpstreams, makeLabConfig, peakMemoryOf, startGateway } from '../conformance.fixture.ts'
import { createLabClient } from '../lab-client.ts'

const host = createHost()

/** Caddy and the gateway behind it, each a process that can be killed and started alone. */
export interface CaddyLab extends GatewayLab {
  readonly state: string
  readonly paths: GatewayPaths
  readonly caddy: ChildProcess
  readonly behind: ChildProcess
  kill(what: 'caddy' | 'behind'): Promise<void>
  start(what: 'caddy' | 'behind'): Promise<void>
  /** Resolves when Caddy was seen to serve. */
  serving(): Promise<void>
}

/** The Caddy to test: that of the system, or another version of which $CARETAKER_TEST_CADDY is the path. */
export const CADDY = process.env['CARETAKER_TEST_CADDY'] ?? '/usr/bin/caddy'

/** As `2.6.2`. */
export function caddyVersion(): string {
  return execFileSync(CADDY, ['version'], { encoding: 'utf8' }).replace(/^v/, '').split(' ')[0]?.trim() ?? ''
}

export async function startCaddyLab(changes: Partial<GatewayConfig> = {}): Promise<CaddyLab> {
  const state = await mkdtemp(join(tmpdir(), 'caretaker-caddy-'))
  const paths = gatewayPaths(state)
  const { config: embedded, authorityPem } = await makeLabConfig(paths)
  const config: GatewayConfig = { ...embedded, engine: 'caddy', ...changes }
  await storeGatewayConfig(host, paths, config)
  const gateway = createGatewayClient(host, paths)
  const upstreams = labUpstreams()
  let behind = await startGateway(state)
  let caddy = startCaddy(paths)
  const serving = async (): Promise<void> => {
    const isUp = await waitUntil(host.clock, { timeoutMs: 120_000 }, async () => {
      // As the appliance does: a port may have been taken by a connection of somebody else.
      if (caddy.exitCode !== null) caddy = startCaddy(paths)
      const status = await gateway.status().catch(() => undefined)
      return status?.https ? true : undefined
    })
    if (!isUp) throw new Error('Caddy does not serve')
  }
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  await serving()
  return {
    state,
    paths,
    gateway,
    config,
    ...createLabClient(config, authorityPem),
    ...upstreams,
    get caddy() {
      return caddy
    },
    get behind() {
      return behind
    },
    kill: (what) => end(what === 'caddy' ? caddy : behind, 'SIGKILL'),
    async start(what) {
      if (what === 'caddy') caddy = startCaddy(paths)
      else behind = await startGateway(state)
    },
    serving,
    async peakMemoryBytes() {
      return (await peakMemoryOf(caddy.pid)) + (await peakMemoryOf(behind.pid))
    },
    async crash() {
      await Promise.all([end(caddy, 'SIGKILL'), end(behind, 'SIGKILL')])
      caddy = startCaddy(paths)
      behind = await startGateway(state)
      await serving()
    },
    async prove(token, answer) {
      await mkdir(paths.challengeFolder, { recursive: true })
      await writeFile(join(paths.challengeFolder, token), answer)
    },
    async close() {
      await end(caddy, 'SIGTERM')
      await end(behind, 'SIGTERM')
      await upstreams.close()
      await rm(state, { recursive: true })
    },
  }
}

/** With the environment and arguments of the service of the appliance. */
function startCaddy({ caddy }: GatewayPaths): ChildProcess {
  return spawn(CADDY, ['run', '--config', caddy.configFile], {
    env: {
      PATH: '/usr/bin:/bin',
      HOME: caddy.dataFolder,
      XDG_DATA_HOME: caddy.dataFolder,
      XDG_CONFIG_HOME: caddy.dataFolder,
    },
    stdio: process.env['CARETAKER_TEST_CADDY_LOG'] ? 'inherit' : 'ignore',
  })
}
