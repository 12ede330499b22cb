import { join } from 'node:path'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { PLACES, SERVICE_UNIT, UNITS } from '../places.ts'
import { runSystemctl, unitProperties } from '../systemd.ts'
import { MARK } from '../unit-files.ts'

type UnitPorts = Pick<Ports, 'files' | 'processes'>
type Texts = Readonly<Record<string, string>>
type Before = Readonly<Record<string, string | null>>

const pathOf = (unit: string) => join(PLACES.units, unit)

/** Writes the unit files. One of the same name that somebody else wrote is never touched. */
export const installUnits = (ports: UnitPorts) =>
  defineStep<{ readonly units: Texts }, Before>({
    kind: 'install.units',
    describe: ({ units }) => `Write ${Object.keys(units).map(pathOf).join(' and ')}`,
    async check({ units }) {
      const before: Record<string, string | null> = {}
      for (const unit of Object.keys(units)) {
        const text = await ports.files.readText(pathOf(unit))
        if (text !== undefined && !text.startsWith(MARK)) return foreign(pathOf(unit))
        before[unit] = text ?? null
      }
      const isWritten = Object.entries(units).every(([unit, text]) => before[unit] === text)
      return isWritten && (await isLoaded(ports)) ? { state: 'done' } : { state: 'needed', before }
    },
    async apply({ units }) {
      for (const [unit, text] of Object.entries(units)) {
        await writeDurably(ports.files, pathOf(unit), text, 0o644)
      }
      await runSystemctl(ports, ['daemon-reload'])
    },
    async undo(_input, before) {
      for (const [unit, text] of Object.entries(before)) {
        if (text === null) await ports.files.remove(pathOf(unit))
        else await writeDurably(ports.files, pathOf(unit), text, 0o644)
      }
      await runSystemctl(ports, ['daemon-reload'])
      // The daemon before was started again with the text that has just been taken back.
      if (typeof before[SERVICE_UNIT] === 'string') await runSystemctl(ports, ['restart', SERVICE_UNIT])
    },
    timeoutMs: 20 * MINUTE_MS,
  })

async function isLoaded(ports: UnitPorts): Promise<boolean> {
  const { NeedDaemonReload, LoadState } = await unitProperties(ports, SERVICE_UNIT, [
    'NeedDaemonReload',
    'LoadState',
  ])
  return NeedDaemonReload === 'no' && LoadState === 'loaded'
}

function foreign(path: string) {
  return {
    state: 'blocked',
    why: `${path} is there and was not written by "caretaker install"`,
    next: `Look at it ("systemctl cat ${path.split('/').at(-1)}") and move it away; then repeat the command`,
  } as const
}

/** Has systemd start them at every boot. */
export const installEnable = (ports: UnitPorts) =>
  defineStep<null, null>({
    kind: 'install.enable',
    describe: () => 'Have systemd start it at every boot',
    async check() {
      const states = await Promise.all(UNITS.map((unit) => unitProperties(ports, unit, ['UnitFileState'])))
      return states.every(({ UnitFileState }) => UnitFileState === 'enabled')
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply() {
      await runSystemctl(ports, ['enable', ...UNITS])
    },
    undo: async () => runSystemctl(ports, ['disable', ...UNITS]),
    timeoutMs: 2 * MINUTE_MS,
  })

/** Takes the unit files away; drop-ins of a person stay. */
export const uninstallUnits = (ports: UnitPorts) =>
  defineStep<null, Before>({
    kind: 'uninstall.units',
    describe: () => `Disable and remove ${UNITS.map(pathOf).join(' and ')}`,
    async check() {
      const before: Record<string, string> = {}
      for (const unit of UNITS) {
        const text = await ports.files.readText(pathOf(unit))
        if (text?.startsWith(MARK)) before[unit] = text
      }
      return Object.keys(before).length === 0 ? { state: 'done' } : { state: 'needed', before }
    },
    async apply(_input, before) {
      const units = Object.keys(before)
      const there = []
      for (const unit of units) if (await ports.files.stat(pathOf(unit))) there.push(unit)
      if (there.length > 0) await runSystemctl(ports, ['disable', ...there])
      for (const unit of units) await ports.files.remove(pathOf(unit))
      await runSystemctl(ports, ['daemon-reload'])
    },
    async undo(_input, before) {
      for (const [unit, text] of Object.entries(before)) {
        if (text !== null) await writeDurably(ports.files, pathOf(unit), text, 0o644)
      }
      await runSystemctl(ports, ['daemon-reload'])
      await runSystemctl(ports, ['enable', ...Object.keys(before)])
    },
    timeoutMs: 2 * MINUTE_MS,
  })
