// The writer test at length: node e2e/src/writer/run.ts [--kills 100] [--seed N] [--storage btrfs] [--runtime docker] [--gateway caddy]
import { parseArgs } from 'node:util'
import { badNight } from './bad-night.ts'
import { writerRig } from './rig.ts'
import { summarise } from './summary.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    seed: { type: 'string' },
    storage: { type: 'string', default: 'directory' },
    runtime: { type: 'string', default: 'process' },
    gateway: { type: 'string', default: 'embedded' },
  },
})
const { storage, runtime, gateway } = values
const kills = Number(values.kills ?? 100)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
if (
  !Number.isSafeInteger(kills) ||
  kills < 1 ||
  !Number.isSafeInteger(seed) ||
  !(storage === 'directory' || storage === 'btrfs') ||
  !(runtime === 'process' || runtime === 'docker') ||
  !(gateway === 'embedded' || gateway === 'caddy')
) {
  console.error(
    'Usage: node e2e/src/writer/run.ts [--kills 100] [--seed N] [--storage directory|btrfs] [--runtime process|docker] [--gateway embedded|caddy]',
  )
  process.exit(2)
}
console.log(`seed ${seed}, ${kills} kills`)
await using rig = await writerRig({ storage, runtime, gateway })
const startedAt = Date.now()
const tell = (line: string) =>
  console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${line}`)
const night = await badNight(rig, { seed, kills }, tell)
console.log(`\n${summarise(night)}`)
process.exitCode = night.violations.length === 0 ? 0 : 1
