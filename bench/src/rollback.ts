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
    const all = await measured(backend)
    for (const [size, times] of all) rows.push(...rowsOf(backend, size, times, all.get(SMALL) ?? times))
  }
  return rows
}

/** The sizes take turns, so that other work on the machine is seen in all of them. */
async function measured(backend: Backend): Promise<ReadonlyMap<Size, Times>> {
  await using disposables = new AsyncDisposableStack()
  const all: {
    readonly size: Size
    readonly bed: GuestbookBed
    readonly times: Record<keyof Times, number[]>
  }[] = []
  for (const size of SIZES[backend]) {
    if (!(await hasRoom(backend, size))) continue
    const bed = disposables.use(await guestbookBed(backend, size.mib * COPIES[backend] + SPARE_MIB))
    await bed.fill(fillReadings(DATABASE_ROWS))
    await bed.fill(fillFiles(size.mib))
    all.push({ size, bed, times: { rollback: [], silence: [], clone: [], ownStart: [] } })
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const { bed, times } of all) times.clone.push(await clone(bed))
  for (const { bed } of all) await bed.update()
  for (let round = 0; round < ROUNDS; round++) {
    for (const { bed, times } of all) {
      const took = await goBack(bed)
      times.rollback.push(took.command)
      times.silence.push(took.silence)
    }
  }
  for (const { bed, times } of all) times.ownStart.push(await startByHand(bed))
  return new Map(
    all.map(({ size, times: { rollback, silence, clone, ownStart } }) => [
      size,
      {
        rollback: median(rollback),
        silence: median(silence),
        clone: median(clone),
        ownStart: median(ownStart),
      },
    ]),
  )
}

/** Milliseconds of the command, and the longest without an answer meanwhile. */
async function goBack({ appliance }: GuestbookBed) {
  const begun = performance.now()
  const back = appliance.run('app', 'rollback', 'guestbook', '--with-data', '--confirm', 'guestbook')
  const ended = back.then(() => performance.now() - begun)
  return { silence: await longestSilence(appliance.httpsPort, ended), command: await ended }
}

async function startByHand({ appliance, releases, disk }: GuestbookBed): Promise<number> {
  await appliance.run('down')
  await using hand = await createByHand((await releases()).first, disk)
  await hand.first()
  return await hand.again()
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
