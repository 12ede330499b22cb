import { beforeEach, describe, expect, it } from 'vitest'
import type { Surrounding } from '../lifecycle/appliance.ts'
import { type InstallReport, planInstall, planUninstall, runInstallation } from './install.ts'
import { MachineInMemory } from './machine.fixture.ts'
import { PLACES, UNITS } from './places.ts'
import { runningStamp } from './steps/switch.ts'
import { stampIn, unitFiles } from './unit-files.ts'

const signal = new AbortController().signal
let machine: MachineInMemory

beforeEach(() => {
  machine = new MachineInMemory()
})

async function install(around: Surrounding): Promise<InstallReport> {
  return runInstallation(around, await planInstall(around), () => undefined, signal)
}

const inForce = () => machine.files.readLink(PLACES.current)

describe('an installation', () => {
  it('puts everything in place, and repeated has nothing to do', async () => {
    const around = await machine.withBuild('0.1.0')
    const report = await install(around)
    expect(report.errors).toEqual([])
    expect(await inForce()).toBe(report.build)
    expect(await machine.files.readText(`${PLACES.current}/caretaker/main.js`)).toBe('version 0.1.0')
    expect(await machine.files.readText(`${PLACES.command}`)).toContain(report.build)
    expect(await machine.files.readText(`${PLACES.current}/programs/node/bin/node`)).toBe('node')
    expect([...machine.enabled].toSorted()).toEqual([...UNITS].toSorted())
    expect([...machine.active].toSorted()).toEqual([...UNITS].toSorted())
    expect((await install(around)).nothing_to_do).toBe(true)
  })

  it('of another version switches over and keeps the one before', async () => {
    const first = await install(await machine.withBuild('0.1.0'))
    const second = await install(await machine.withBuild('0.2.0'))
    expect(second.errors).toEqual([])
    expect(await inForce()).toBe(second.build)
    expect(second.build).toMatch(/^0\.2\.0-[0-9a-f]{8}$/)
    expect(await machine.files.stat(`${PLACES.home}/${first.build}`)).toBeDefined()
    expect(await machine.files.list(PLACES.programs)).toHaveLength(1)
  })

  it('goes back to the version before when the daemon of the new one does not start', async () => {
    const first = await install(await machine.withBuild('0.1.0'))
    const units = await machine.files.readText(`${PLACES.units}/${UNITS[0]}`)
    machine.broken.add('0.2.0')
    const around = await machine.withBuild('0.2.0')
    const second = await install(around)
    expect(second.exit_code).toBe(4)
    expect(second.errors[0]?.code).toBe('COMMAND_FAILED')
    expect(await inForce()).toBe(first.build)
    expect(await machine.files.readText(`${PLACES.units}/${UNITS[0]}`)).toBe(units)
    expect(machine.active).toContain(UNITS[0])
    expect(await runningStamp(around.ports)).toBe(stampIn(units ?? ''))
    expect(await machine.files.stat(`${PLACES.home}/${second.build}`)).toBeUndefined()
  })

  it('refuses to touch a unit file or a command that somebody else put there, before it changes anything', async () => {
    const around = await machine.withBuild('0.1.0')
    for (const path of [`${PLACES.units}/${UNITS[1]}`, PLACES.command]) {
      await machine.files.makeFolder(path.slice(0, path.lastIndexOf('/')))
      await machine.files.write(path, 'mine')
      await expect(install(around)).rejects.toMatchObject({
        code: 'STEP_BLOCKED',
        why: `${path} is there and was not ${path === PLACES.command ? 'put there' : 'written'} by "caretaker install"`,
      })
      expect(await machine.files.readText(path)).toBe('mine')
      expect(await machine.files.stat(PLACES.home)).toBeUndefined()
      await machine.files.remove(path)
    }
  })

  it('says what to type when it is not root, and what is missing without systemd', async () => {
    const around = await machine.withBuild('0.1.0')
    await machine.files.remove('/run/systemd')
    await expect(planInstall(around)).rejects.toMatchObject({ code: 'SYSTEMD_MISSING', exitCode: 10 })
    machine.machine.facts = { ...machine.machine.facts, user: { uid: 1000, gid: 1000, name: 'ann' } }
    await expect(planInstall(around)).rejects.toMatchObject({
      code: 'NO_PERMISSION',
      exitCode: 1,
      next: 'Type: sudo /mnt/release-0.1.0/programs/node/bin/node /mnt/release-0.1.0/caretaker/main.js install',
    })
  })

  it('is taken away by uninstall, which leaves config and state', async () => {
    const around = await machine.withBuild('0.1.0')
    expect((await install(around)).errors).toEqual([])
    await machine.files.write(`${PLACES.config}/note`, 'kept')
    await machine.files.write(`${PLACES.state}/note`, 'kept')
    const report = await runInstallation(around, await planUninstall(around), () => undefined, signal)
    expect(report.errors).toEqual([])
    const gone = [PLACES.home, PLACES.command, ...UNITS.map((unit) => `${PLACES.units}/${unit}`)]
    for (const path of gone) expect(await machine.files.stat(path), path).toBeUndefined()
    expect(machine.active.size + machine.enabled.size).toBe(0)
    expect(await machine.files.readText(`${PLACES.config}/note`)).toBe('kept')
    expect(await machine.files.readText(`${PLACES.state}/note`)).toBe('kept')
    const again = await runInstallation(around, await planUninstall(around), () => undefined, signal)
    expect(again.nothing_to_do).toBe(true)
  })
})

describe('the unit', () => {
  const text = (volumes: readonly string[] = []) => unitFiles('0.1.0-abc', volumes)[UNITS[0]] ?? ''

  it('may write to the volumes of the config', () => {
    expect(text(['/tank/data'])).toMatch(/^ReadWritePaths=.* -\/tank\/data$/m)
  })

  it('outlived by what it starts, is told by its main process only, and has its /tmp with the rest of the machine', () => {
    expect(text()).toMatch(/^KillMode=process$/m)
    expect(text()).toMatch(/^OOMPolicy=continue$/m)
    expect(text()).toMatch(/^NotifyAccess=main$/m)
    expect(text()).not.toMatch(/^PrivateTmp=(?!no)/m)
  })
})
