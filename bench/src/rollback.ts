import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { statusOf } from './appliance.ts'
import { createByHand } from './by-hand.ts'
import { type Backend, backends, type GuestbookBed, guestbookBed } from './guestbook-bed.ts'
import { fillFiles, fillReadings } from './guestbook-source.ts'
import { until } from './programs.ts'
import { median, type Row } from './rows.ts'
import { longestSilence } from './silence.ts'

interface Size {
  readonly name: string
  readonly mib: number
}

const SMALL: Size = { name: '10 MB', mib: 10 }
const LARGE: Size = { name: '1 GB', mib: 1024 }
const HUGE: Size = { name: '10 GB', mib: 10_240 }
const SIZES: Readonly<Record<Backend, readonly Size[]>> = {
  directory: [SMALL, LARGE],
  btrfs: [SMALL, LARGE, HUGE],
}
const DATABASE_ROWS = 10_000
/** An odd number: the first one goes back to the first release, the second one forth again. */
const ROUNDS = 3
/** Copies on `directory`: the data, the update's snapshot, that of each rollback, and one on its way. */
const COPIES: Readonly<Record<Backend, number>> = { directory: ROUNDS + 3, btrfs: 1 }
/** For programs, logs, the write-ahead log, and what the storage keeps in reserve. */
const SPARE_MIB = 4096
/** How much longer than for 10 MB it may take for 10 GB where snapshots are instant. */
const GOAL_RATIO = 1.5
/** What a clone may take on top of the application's own start. */
const GOAL_CLONE_MS = 10_000

interface Times {
  readonly rollback: number
  readonly silence: number
  readonly clone: number
  readonly ownStart: number
}

/** Rollbacks with data, and clones until they answer with 200, with more and more files. */
export async function rollback(): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const backend of backends()) {
    let small: Times | undefined
    for (const size of SIZES[backend]) {
      const times = await measured(backend, size)
      if (!times) continue
      small ??= times
      rows.push(...rowsOf(backend, size, times, small))
    }
  }
  return rows
}

function rowsOf(backend: Backend, size: Size, times: Times, small: Times): readonly Row[] {
  const row = (what: string, part: 'rollback' | 'silence' | 'clone'): Row => {
    const plain: Row = { what: `${backend}, ${size.name}, ${what}`, value: times[part], unit: 'ms' }
    if (times === small) return plain
    const beside = { what: `with ${SMALL.name}`, value: small[part] }
    return { ...plain, beside, ...(size === HUGE ? { goal: Math.round(GOAL_RATIO * small[part]) } : {}) }
  }
  return [
    row('rollback', 'rollback'),
    row('… longest time without an answer', 'silence'),
    row('clone until it serves', 'clone'),
    {
      what: `${backend}, ${size.name}, … beside the application`,
      value: times.clone,
      unit: 'ms',
      beside: { what: 'its start by hand', value: times.ownStart },
      goal: Math.round(GOAL_CLONE_MS + times.ownStart),
    },
  ]
}

async function measured(backend: Backend, size: Size): Promise<Times | undefined> {
  if (!(await hasRoom(backend, size))) return undefined
  await using bed = await guestbookBed(backend, size.mib * COPIES[backend] + SPARE_MIB)
  const { appliance } = bed
  await bed.fill(fillReadings(DATABASE_ROWS))
  await bed.fill(fillFiles(size.mib))
  const clones = await times(() => clone(bed))
  await bed.update()
  const silences: number[] = []
  const rollbacks = await times(async () => {
    const begun = performance.now()
    const back = appliance.run('app', 'rollback', 'guestbook', '--with-data', '--confirm', 'guestbook')
    const ended = back.then(() => performance.now() - begun)
    silences.push(await longestSilence(appliance.httpsPort, ended))
    return ended
  })
  await appliance.run('down')
  await using hand = await createByHand((await bed.releases()).first, bed.disk)
  await hand.first()
  return {
    rollback: median(rollbacks),
    silence: median(silences),
    clone: median(clones),
    ownStart: await hand.again(),
  }
}

/** Milliseconds from the command to 200 of the clone, which is then removed. */
async function clone({ appliance }: GuestbookBed): Promise<number> {
  // Without root, not every system has the namespaces of its cell.
  const cell = process.getuid?.() === 0 ? [] : ['--allow-outside']
  const begun = performance.now()
  const made = appliance.run('app', 'clone', 'guestbook', '--name', 'copy', ...cell)
  const serving = until(async () => {
    const isServed = (await statusOf(appliance.httpsPort, '/entries.json', 'copy.localhost')) === 200
    return isServed ? performance.now() - begun : undefined
  })
  const [took] = await Promise.all([serving, made])
  await appliance.run('clone', 'remove', 'copy')
  return took
}

async function times(once: () => Promise<number>): Promise<readonly number[]> {
  const all: number[] = []
  for (let round = 0; round < ROUNDS; round++) all.push(await once())
  return all
}

/** Says why, where there is not. */
async function hasRoom(backend: Backend, { name, mib }: Size): Promise<boolean> {
  const { bavail, bsize } = await statfs(tmpdir())
  const freeMib = Math.floor((bavail * bsize) / 2 ** 20)
  const neededMib = mib * COPIES[backend] + SPARE_MIB
  if (freeMib >= neededMib) return true
  process.stderr.write(
    `${backend} with ${name} is left out: it needs ${neededMib} MiB in ${tmpdir()}, ${freeMib} are free\n`,
  )
  return false
}
