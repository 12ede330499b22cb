import { join } from 'node:path'
import { FakeClock } from '@caretaker/ports/fake-clock.ts'
import { FakeDatabases } from '@caretaker/ports/fake-databases.ts'
import { FakeLocks } from '@caretaker/ports/fake-locks.ts'
import { FakeMachine } from '@caretaker/ports/fake-machine.ts'
import { FakeNetwork } from '@caretaker/ports/fake-network.ts'
import { FakeProcesses } from '@caretaker/ports/fake-processes.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import type { Command, CommandResult } from '@caretaker/ports/process.ts'
import type { Surrounding } from '../lifecycle/appliance.ts'
import { PLACES, SERVICE_UNIT } from './places.ts'
import { stampIn } from './unit-files.ts'

const ROOT = { uid: 0, gid: 0 }

/** A machine in memory with as much of systemd as an installation uses. */
export class MachineInMemory {
  readonly files = new MemoryFiles({ owner: ROOT })
  readonly machine = new FakeMachine({ user: { ...ROOT, name: 'root' } })
  readonly processes = new FakeProcesses()
  /** Builds whose daemon ends at its start. */
  readonly broken = new Set<string>()
  readonly enabled = new Set<string>()
  readonly active = new Set<string>()
  #daemonPid = 0

  constructor() {
    this.processes
      .on('systemctl', (command) => this.#systemctl(command))
      .on('useradd', () => {
        this.machine.facts = {
          ...this.machine.facts,
          users: { ...this.machine.facts.users, caretaker: ROOT },
        }
        return {}
      })
  }

  /** Root on a machine that systemd runs, with an unpacked build. */
  async withBuild(version: string): Promise<Surrounding> {
    const release = `/mnt/release-${version}`
    const write = async (path: string, text: string) => {
      await this.files.makeFolder(join(path, '..'))
      await this.files.write(path, text)
    }
    for (const path of ['/run/systemd/system', PLACES.units, '/usr/local/bin', '/opt', '/proc'])
      await this.files.makeFolder(path)
    await write(join(release, 'caretaker/main.js'), `version ${version}`)
    await write(join(release, 'programs/node/bin/node'), 'node')
    await write(join(release, 'programs/versions.json'), '{"node":"24"}')
    const { files, machine, processes } = this
    return {
      ports: {
        files,
        machine,
        processes,
        clock: new FakeClock(),
        locks: new FakeLocks(),
        network: new FakeNetwork(),
        databases: new FakeDatabases(),
      },
      actor: { user: 'root', via: 'test' },
      pid: 1,
      stateFolder: PLACES.state,
      programs: {
        node: join(release, 'programs/node/bin/node'),
        main: join(release, 'caretaker/main.js'),
        folder: join(release, 'programs'),
        version,
        outgoing: {},
      },
    }
  }

  async #systemctl({ args }: Command): Promise<Partial<CommandResult>> {
    const [verb = '', ...units] = args.filter((word) => !word.startsWith('--'))
    for (const unit of units) {
      if (verb === 'enable') this.enabled.add(unit)
      if (verb === 'disable') this.enabled.delete(unit)
      if (verb === 'stop') this.active.delete(unit)
      if (verb === 'start') this.active.add(unit)
    }
    if (verb === 'restart') return this.#restart()
    return verb === 'show' ? { stdout: await this.#show(units[0] ?? '') } : {}
  }

  async #restart(): Promise<Partial<CommandResult>> {
    const build = (await this.files.readLink(PLACES.current)) ?? ''
    if (this.broken.has(build.split('-')[0] ?? '')) {
      this.active.delete(SERVICE_UNIT)
      return { exitCode: 1, stderr: 'Job for caretaker.service failed.' }
    }
    this.#daemonPid += 100
    const unit = (await this.files.readText(join(PLACES.units, SERVICE_UNIT))) ?? ''
    await this.files.makeFolder(`/proc/${this.#daemonPid}`)
    await this.files.write(`/proc/${this.#daemonPid}/environ`, `A=b\0CARETAKER_INSTALLED=${stampIn(unit)}\0`)
    this.active.add(SERVICE_UNIT)
    return {}
  }

  async #show(unit: string): Promise<string> {
    const isThere = (await this.files.stat(join(PLACES.units, unit))) !== undefined
    const isActive = this.active.has(unit)
    return [
      `ActiveState=${isActive ? 'active' : 'inactive'}`,
      `MainPID=${isActive ? this.#daemonPid : 0}`,
      `LoadState=${isThere ? 'loaded' : 'not-found'}`,
      'NeedDaemonReload=no',
      `UnitFileState=${this.enabled.has(unit) ? 'enabled' : isThere ? 'disabled' : ''}`,
    ].join('\n')
  }
}
