import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DockerOptions } from '../docker-command.ts'

/** A container engine of its own, with data, socket and addresses of its own. Disposing ends it and removes all of it. */
export interface TestEngine extends AsyncDisposable {
  readonly folder: string
  readonly docker: DockerOptions
  /** Of dockerd and of its containerd. */
  pids(): { readonly dockerd: number; readonly containerd: number }
  /** Calls the docker program; throws with what it said unless it ends with 0. */
  run(...args: readonly string[]): string
  /** Waits until it answers again after it was killed, starting it anew. */
  restart(...options: readonly string[]): Promise<void>
  kill(what: 'dockerd' | 'containerd'): Promise<void>
}

/** Where dockerd is on Debian. */
const DOCKERD = '/usr/sbin/dockerd'
const START_LIMIT_MS = 60_000

/**
 * Starts an engine. `npm run engines` installs what it needs. The subnets are of a range of its own, so that it gets along
 * with another engine of this machine.
 */
export async function startTestEngine(...always: readonly string[]): Promise<TestEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'ct-docker-'))
  const config = join(folder, 'config')
  const plugins = (process.env.CARETAKER_DOCKER_PLUGINS ?? '').split(':').filter((path) => path !== '')
  mkdirSync(config)
  writeFileSync(join(config, 'config.json'), JSON.stringify({ cliPluginsExtraDirs: plugins }))
  const socket = join(folder, 'docker.sock')
  const docker: DockerOptions = { socket, environment: { DOCKER_CONFIG: config } }
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_CONFIG: config,
  }
  // Otherwise the first engine makes the machine forward and drop what it forwards, for all others too.
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
  // Builds use the bridge of the engine; with one of its own it does not meddle with that of the machine.
  const { bridge, range } = claimBridge(env)
  for (const words of [
    ['address', 'add', `10.${range}.255.1/24`, 'dev', bridge],
    ['link', 'set', bridge, 'up'],
  ])
    execFileSync('ip', words, { env })
  let daemon: ChildProcess | undefined

  const isUp = () => spawnSync('docker', ['info'], { env, timeout: 20_000 }).status === 0

  async function start(options: readonly string[] = []): Promise<void> {
    const log = createWriteStream(join(folder, 'dockerd.log'), { flags: 'a' })
    await once(log, 'open')
    const args = ['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')]
    args.push('--pidfile', join(folder, 'dockerd.pid'), '--host', `unix://${socket}`, '--bridge', bridge)
    args.push('--default-address-pool', `base=10.${range}.0.0/17,size=24`, ...always, ...options)
    rmSync(join(folder, 'dockerd.pid'), { force: true })
    daemon = spawn(DOCKERD, args, { stdio: ['ignore', log, log], env: { PATH: env.PATH } })
    const deadline = performance.now() + START_LIMIT_MS
    while (!isUp()) {
      if (daemon.exitCode !== null || performance.now() > deadline)
        throw new Error(`no engine: ${readFileSync(join(folder, 'dockerd.log'), 'utf8').slice(-2000)}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  const containerdPid = () => Number(readFileSync(join(folder, 'exec/containerd/containerd.pid'), 'utf8'))

  /** As a supervisor of the machine does: one that does not come up, as beside a dying containerd, is tried again. */
  async function restart(options: readonly string[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await start(options)
      } catch (error) {
        if (tries === 3) throw error
        await kill('dockerd')
        await kill('containerd')
        rmSync(join(folder, 'exec/containerd/containerd.pid'), { force: true })
      }
    }
  }

  async function kill(what: 'dockerd' | 'containerd'): Promise<void> {
    if (what === 'containerd') {
      try {
        process.kill(containerdPid(), 'SIGKILL')
      } catch {
        // It is gone, and its pid file perhaps too.
      }
      return
    }
    if (!daemon || daemon.exitCode !== null || daemon.signalCode !== null) return
    const gone = once(daemon, 'exit')
    daemon.kill('SIGKILL')
    await gone
  }

  // Two that start at once take each other's chains of rules for their own.
  await restart([])
  return {
    folder,
    docker,
    pids: () => ({ dockerd: daemon?.pid ?? 0, containerd: containerdPid() }),
    run: (...args) =>
      execFileSync('docker', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    restart: (...options) => restart(options),
    kill,
    async [Symbol.asyncDispose]() {
      if (!isUp()) await restart([])
      const ids = execFileSync('docker', ['ps', '-aq'], { env, encoding: 'utf8' }).split('\n').filter(Boolean)
      if (ids.length > 0) spawnSync('docker', ['rm', '-f', ...ids], { env })
      spawnSync('docker', ['network', 'prune', '-f'], { env })
      if (daemon) {
        const gone = once(daemon, 'exit')
        daemon.kill('SIGTERM')
        await gone
      }
      spawnSync('ip', ['link', 'delete', bridge], { env })
      removeRulesOfGoneBridges(env)
      unmountBelow(folder)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Rules outlive the bridges that they were made for: an engine leaves those of its bridges behind. */
function removeRulesOfGoneBridges(env: NodeJS.ProcessEnv): void {
  for (const table of ['filter', 'nat']) {
    const { stdout } = spawnSync('iptables', ['-w', '-t', table, '-S'], { encoding: 'utf8', env })
    for (const [, rule = '', bridge = ''] of stdout.matchAll(/^-A (.*-[io] (ct-\w+)(?: .*|))$/gm)) {
      if (existsSync(`/sys/class/net/${bridge}`)) continue
      spawnSync('iptables', ['-w', '-t', table, '-D', ...rule.split(' ')], { env })
    }
  }
}

/** A bridge whose name says its range of addresses, so that no two engines have the same one. */
function claimBridge(env: NodeJS.ProcessEnv): { readonly bridge: string; readonly range: number } {
  let last = ''
  for (let tries = 0; tries < 200; tries++) {
    const range = randomInt(200, 250)
    const bridge = `ct-${range}`
    const { status, stderr } = spawnSync('ip', ['link', 'add', bridge, 'type', 'bridge'], {
      env,
      encoding: 'utf8',
    })
    if (status === 0) return { bridge, range }
    last = stderr
  }
  throw new Error(`no bridge is to be had: ${last}`)
}

/** Removing a tree must never reach through a mount. */
function unmountBelow(folder: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
  for (const path of mounts.toReversed()) execFileSync('umount', [path])
  if (
    existsSync(join(folder, 'data/volumes')) &&
    readFileSync('/proc/self/mounts', 'utf8').includes(`${folder}/`)
  )
    throw new Error(`something is still mounted below ${folder}`)
}
