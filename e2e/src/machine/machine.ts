import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../support/observe.ts'
import { type Outcome, outcomeOf, outputOf } from './commands.ts'
import { type MachineNetwork, machineNetwork } from './network.ts'
import { machineTree, type Suite } from './tree.ts'

/** What nspawn says when the machine inside asked for a reboot. */
const REBOOT = 133
const BOOT_LIMIT_MS = 120_000
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export interface MachineOptions {
  readonly suite?: Suite
  /** Folders of the host that are seen inside, read-only; inside → host. */
  readonly readOnly?: Readonly<Record<string, string>>
  /** Folders of the host that are seen inside and can be written, as a volume that is no overlay. */
  readonly writable?: Readonly<Record<string, string>>
}

/** A whole Debian with systemd as process 1, in a container of its own. It shares kernel and clock with the host. */
export interface Machine extends AsyncDisposable {
  /** Address seen from the host's side of its network. */
  readonly address: string
  /** Its root folder as the host sees it, for putting files in; mounts made inside are not seen. */
  readonly root: string
  /** Path of its network namespace. */
  readonly namespace: string
  /** Runs a program inside as root, as a login would: outside of every unit. */
  run(
    words: readonly string[],
    options?: { readonly env?: Record<string, string>; readonly input?: string; readonly timeoutMs?: number },
  ): Promise<Outcome>
  /** Standard output of a program that must succeed. */
  ok(...words: string[]): Promise<string>
  /** Boots again in order; resolves when systemd has come up again. */
  reboot(): Promise<void>
  /** Shuts down in order; resolves when nothing runs any more. */
  powerOff(): Promise<void>
  /** Kills process 1, and with it everything: no power cut, since what was written is kept by the host's kernel. */
  kill(): Promise<void>
  /** Starts it after {@link powerOff} or {@link kill}. */
  boot(options?: { readonly wait?: boolean }): Promise<void>
  /** What its console printed. */
  console(): Promise<string>
}

/** Boots a copy of the tree of a suite. Needs root and systemd-container. */
export async function bootMachine(options: MachineOptions = {}): Promise<Machine> {
  const tree = await machineTree(options.suite ?? 'bookworm')
  const home = await mkdtemp('/var/tmp/caretaker-machine-')
  const root = join(home, 'root')
  for (const name of ['upper', 'work', 'root']) await mkdir(join(home, name))
  await outputOf('mount', [
    '-t',
    'overlay',
    'overlay',
    '-o',
    `lowerdir=${tree},upperdir=${home}/upper,workdir=${home}/work`,
    root,
  ])
  const network = await machineNetwork()
  const machine = new NspawnMachine(home, root, network, options)
  try {
    await machine.boot()
  } catch (error) {
    await machine[Symbol.asyncDispose]()
    throw error
  }
  return machine
}

class NspawnMachine implements Machine {
  readonly address: string
  readonly namespace: string
  readonly root: string
  readonly #home: string
  readonly #network: MachineNetwork
  readonly #options: MachineOptions
  #container: ChildProcess | undefined
  #bootsAgain = true

  constructor(home: string, root: string, network: MachineNetwork, options: MachineOptions) {
    this.#home = home
    this.root = root
    this.#network = network
    this.#options = options
    this.address = network.address
    this.namespace = network.namespace
  }

  async boot({ wait = true }: { readonly wait?: boolean } = {}): Promise<void> {
    this.#bootsAgain = true
    await this.#start()
    if (wait) await this.#isUp()
  }

  async run(
    words: readonly string[],
    options: {
      readonly env?: Record<string, string>
      readonly input?: string
      readonly timeoutMs?: number
    } = {},
  ): Promise<Outcome> {
    const enter = ['--mount', '--uts', '--ipc', '--net', '--pid', '--root', '--wd']
    const { env, ...rest } = options
    return outcomeOf('nsenter', ['--target', `${this.#leader()}`, ...enter, '--', ...words], {
      ...rest,
      env: { PATH, HOME: '/root', TERM: 'dumb', ...env },
    })
  }

  async ok(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(words)
    if (code === 0) return stdout
    throw new Error(`${words.join(' ')} ended with ${code} in the machine:\n${stdout}\n${stderr}`)
  }

  async reboot(): Promise<void> {
    const before = this.#leader()
    await this.run(['systemctl', 'reboot'])
    await eventually(
      'the machine went down',
      () => this.#container === undefined || this.#find() !== before,
      BOOT_LIMIT_MS,
    )
    await this.#isUp()
  }

  async powerOff(): Promise<void> {
    this.#bootsAgain = false
    await this.run(['systemctl', 'poweroff'])
    await this.#gone()
  }

  async kill(): Promise<void> {
    this.#bootsAgain = false
    process.kill(this.#leader(), 'SIGKILL')
    await this.#gone()
  }

  async console(): Promise<string> {
    return readFile(join(this.#home, 'console.log'), 'utf8')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bootsAgain = false
    const leader = this.#find()
    if (leader !== undefined) process.kill(leader, 'SIGKILL')
    await this.#gone().catch(() => this.#container?.kill('SIGKILL'))
    await this.#network.remove()
    await outcomeOf('umount', ['--lazy', this.root])
    await rm(this.#home, { recursive: true, force: true })
  }

  async #start(): Promise<void> {
    const log = await open(join(this.#home, 'console.log'), 'a')
    const binds = [
      ...Object.entries(this.#options.readOnly ?? {}).map(([inside, host]) => `--bind-ro=${host}:${inside}`),
      ...Object.entries(this.#options.writable ?? {}).map(([inside, host]) => `--bind=${host}:${inside}`),
    ]
    const child = spawn(
      'systemd-nspawn',
      [
        '--quiet',
        '--boot',
        '--register=no',
        '--keep-unit',
        '--console=read-only',
        `--machine=${this.#home.split('-').at(-1)?.toLowerCase()}`,
        `--directory=${this.root}`,
        `--network-namespace-path=${this.#network.namespace}`,
        '--resolv-conf=bind-host',
        // Docker inside needs the calls; the kernel around this container may lack the capability.
        '--system-call-filter=@keyring bpf',
        '--capability=all',
        '--drop-capability=CAP_SYS_RESOURCE',
        ...binds,
      ],
      // A session of its own: Ctrl-C at the tests does not reach it before they have ended it.
      { stdio: ['ignore', log.fd, log.fd], detached: true },
    )
    await log.close()
    this.#container = child
    child.once('exit', (code) => {
      this.#container = undefined
      if (code === REBOOT && this.#bootsAgain) void this.#start()
    })
  }

  /** Every unit has been started or has failed; the fixture does not mind which. */
  async #isUp(): Promise<void> {
    await eventually(
      'the machine has booted',
      async () => {
        const { stdout } = await this.run(['systemctl', 'is-system-running'], { timeoutMs: 5000 })
        return ['running', 'degraded'].includes(stdout.trim())
      },
      BOOT_LIMIT_MS,
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)}\n${(await this.console()).slice(-2000)}`)
    })
  }

  async #gone(): Promise<void> {
    await eventually('the machine has ended', () => this.#container === undefined, BOOT_LIMIT_MS)
    // The kernel takes the namespaces down after the last process; what comes next may use them again.
    while (this.#find() !== undefined) await pause(20)
  }

  #leader(): number {
    const leader = this.#find()
    if (leader === undefined) throw new Error('the machine does not run')
    return leader
  }

  /** Process 1 of the machine, by the number the host gives it. */
  #find(): number | undefined {
    const pid = this.#container?.pid
    if (pid === undefined) return undefined
    for (const child of childrenOf(pid)) {
      const numbers = /^NSpid:\s+(.*)$/m.exec(statusOf(child))?.[1]?.split(/\s+/)
      if (numbers?.length === 2 && numbers[1] === '1') return child
    }
    return undefined
  }
}

function childrenOf(pid: number): readonly number[] {
  const folder = `/proc/${pid}/task`
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((task) =>
    read(`${folder}/${task}/children`).split(' ').filter(Boolean).map(Number),
  )
}

const statusOf = (pid: number) => read(`/proc/${pid}/status`)

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
