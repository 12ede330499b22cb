import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { authorityCertificate, createAuthorityKey } from '@caretaker/appliance/certificates/authority.ts'
import { ensureServerCertificate } from '@caretaker/appliance/certificates/server-certificate.ts'
import { createGatewayClient } from '@caretaker/appliance/gateway/client.ts'
import { type GatewayPaths, gatewayPaths } from '@caretaker/appliance/gateway/gateway.ts'
import type { GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import type { GatewayLab } from '@caretaker/appliance/gateway/lab.ts'
import { KIB } from '@caretaker/kernel/units.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { createHost } from '../host.ts'
import { startLabUpstream } from './lab-upstream.ts'

const host = createHost()

/** Test applications of a lab, ended together. */
export function labUpstreams(): Pick<GatewayLab, 'startUpstream' | 'deadEndpoint' | 'close'> {
  const upstreams: { close(): Promise<void> }[] = []
  return {
    async startUpstream() {
      const upstream = await startLabUpstream()
      upstreams.push(upstream)
      return upstream
    },
    deadEndpoint: async () => ({ host: '127.0.0.1', port: await host.network.freePort() }),
    async close() {
      await Promise.all(upstreams.map((upstream) => upstream.close()))
    },
  }
}

/** The most memory a process has used so far, in bytes. */
export async function peakMemoryOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1]) * KIB
}

/** A config without routes, with a certificate of the lab's authority for the hosts of the suite. */
export async function makeLabConfig(
  paths: GatewayPaths,
): Promise<{ config: GatewayConfig; authorityPem: string }> {
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

/** Runs the gateway as the program does: in a process of its own. With Caddy it may not listen yet. */
export async function startGateway(state: string): Promise<ChildProcess> {
  const program = `
    const { runGateway } = await import(${JSON.stringify(import.meta.resolve('./gateway.ts'))})
    const { gatewayPaths } = await import(${JSON.stringify(import.meta.resolve('@caretaker/appliance/gateway/gateway.ts'))})
    const fallback = { https: { host: '127.0.0.1', port: 0 } }
    const gateway = await runGateway({ paths: gatewayPaths(${JSON.stringify(state)}), fallback })
    process.once('SIGTERM', () => void gateway.close(1000))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' })
  const client = createGatewayClient(host, gatewayPaths(state))
  const up = await waitUntil(host.clock, { timeoutMs: 60_000 }, async () => {
    const status = await client.status().catch(() => undefined)
    return status && status.pid === child.pid && (status.https || status.engine === 'caddy')
      ? status
      : undefined
  })
  if (!up) throw new Error('the gateway did not come up')
  return child
}
