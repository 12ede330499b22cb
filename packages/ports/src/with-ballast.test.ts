import { describe, expect, test } from 'vitest'
import { BALLAST_BYTES, BALLAST_PARTS, ballastFolder, ballastParts, fillBallast } from './ballast.ts'
import { writeJsonDurably } from './durable.ts'
import type { Files } from './files.ts'
import { MemoryFiles } from './memory-files.ts'
import type { Ports } from './ports.ts'
import { type BallastUse, withBallast } from './with-ballast.ts'

const STATE = '/state'
const BALLAST = ballastFolder(STATE)
const PART_BYTES = BALLAST_BYTES / BALLAST_PARTS

describe('a ballast', () => {
  test('is made of real bytes, once, and only where there is room beside it', async () => {
    const disk = smallDisk(BALLAST_BYTES)
    expect(await fillBallast(disk.files, BALLAST)).toBe(false)
    expect(await disk.files.treeSize(BALLAST)).toBe(0)
    disk.totalBytes = 10 * BALLAST_BYTES
    expect(await fillBallast(disk.files, BALLAST)).toBe(true)
    expect(await disk.files.treeSize(BALLAST)).toBe(BALLAST_BYTES)
    const part = await disk.files.read(`${BALLAST}/00`)
    expect(new Set(part).size).toBe(256)
    expect(await fillBallast(disk.files, BALLAST)).toBe(true)
    expect(await disk.files.read(`${BALLAST}/00`)).toEqual(part)
  })

  test('that could not be made whole leaves no half part', async () => {
    const disk = smallDisk(10 * BALLAST_BYTES)
    disk.memory.fail('sync', 'ENOSPC', `${BALLAST}/03.tmp`)
    await expect(fillBallast(disk.files, BALLAST)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await disk.files.list(BALLAST)).toHaveLength(3)
    disk.memory.heal()
    expect(await fillBallast(disk.files, BALLAST)).toBe(true)
  })
})

describe('on a full disk', () => {
  test('what may use the ballast is written whole, and costs no more of it than it needs', async () => {
    const disk = await fullDisk()
    const { files } = ports(disk, 'all')
    await files.makeFolder(`${STATE}/operations`)
    await writeJsonDurably(files, `${STATE}/facts.json`, { wanted: 'down' })
    expect(JSON.parse((await files.readText(`${STATE}/facts.json`)) ?? '')).toEqual({ wanted: 'down' })
    expect(await ballastParts(disk.files, BALLAST)).toHaveLength(BALLAST_PARTS - 1)
    // Larger than a part: as many as it takes.
    await files.write(`${STATE}/large`, Buffer.alloc(2 * PART_BYTES), 0o600)
    expect(await ballastParts(disk.files, BALLAST)).toHaveLength(BALLAST_PARTS - 3)
  })

  test('a line of which a part was written before the disk was full stands there once', async () => {
    const disk = await fullDisk()
    const { files } = ports(disk, 'all')
    await disk.memory.write(`${STATE}/log`, 'first\n')
    disk.totalBytes += 2 * 4096
    const line = `${'x'.repeat(10_000)}\n`
    await expect(disk.files.append(`${STATE}/log`, line)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect((await disk.memory.readText(`${STATE}/log`))?.length).toBeGreaterThan(1000)
    await disk.memory.write(`${STATE}/log`, 'first\n')
    await files.append(`${STATE}/log`, line)
    expect(await files.readText(`${STATE}/log`)).toBe(`first\n${line}`)
  })

  test('the appliance by itself leaves half of it to a person', async () => {
    const disk = await fullDisk()
    const own = ports(disk, 'half')
    await expect(own.files.write(`${STATE}/a`, Buffer.alloc(BALLAST_BYTES), 0o600)).rejects.toMatchObject({
      code: 'ENOSPC',
    })
    expect(await ballastParts(disk.files, BALLAST)).toHaveLength(BALLAST_PARTS / 2)
    await disk.fill()
    await expect(own.files.write(`${STATE}/b`, 'x', 0o600)).rejects.toMatchObject({ code: 'ENOSPC' })
    await ports(disk, 'all').files.write(`${STATE}/b`, 'x', 0o600)
  })

  test('no ballast is given up for another file system, nor for another error', async () => {
    const disk = await fullDisk()
    const { files } = ports(disk, 'all')
    disk.mountOfErrors = '/data'
    await expect(files.write('/data/a', 'x', 0o600)).rejects.toMatchObject({ code: 'ENOSPC' })
    disk.totalBytes += BALLAST_BYTES
    disk.memory.fail('write', 'EROFS')
    await expect(files.write(`${STATE}/a`, 'x', 0o600)).rejects.toMatchObject({ code: 'EROFS' })
    expect(await ballastParts(disk.files, BALLAST)).toHaveLength(BALLAST_PARTS)
  })
})

interface SmallDisk {
  readonly memory: MemoryFiles
  readonly files: Files
  totalBytes: number
  mountOfErrors: string
  fill(): Promise<void>
}

/** A file system of so many bytes; an append to it takes what fits, as a real one. */
function smallDisk(totalBytes: number): SmallDisk {
  const memory = new MemoryFiles()
  const free = async () => disk.totalBytes - (await memory.treeSize('/'))
  const full = () =>
    Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', mount: disk.mountOfErrors, path: '/x' })
  const methods = Object.getOwnPropertyNames(MemoryFiles.prototype).filter((name) => name !== 'constructor')
  const plain = Object.fromEntries(
    methods.map((name) => [name, (memory[name as keyof MemoryFiles] as () => unknown).bind(memory)]),
  ) as unknown as Files
  const disk: SmallDisk = {
    memory,
    totalBytes,
    mountOfErrors: '/',
    files: {
      ...plain,
      async write(path, data, mode) {
        if (Buffer.byteLength(data as string) > (await free())) throw full()
        await memory.write(path, data, mode)
      },
      async append(path, data, mode) {
        const fits = Math.max(0, await free())
        const bytes = Buffer.from(data as string)
        await memory.append(path, bytes.subarray(0, fits), mode)
        if (bytes.length > fits) throw full()
      },
      async makeFolder(path, mode) {
        if ((await free()) <= 0) throw full()
        await memory.makeFolder(path, mode)
      },
      space: async () => ({
        mount: '/',
        totalBytes: disk.totalBytes,
        availableBytes: Math.max(0, await free()),
        fileSystem: 'ext4',
        inMemory: false,
      }),
    },
    async fill() {
      disk.totalBytes = await memory.treeSize('/')
    },
  }
  return disk
}

async function fullDisk(): Promise<SmallDisk> {
  const disk = smallDisk(100 * BALLAST_BYTES)
  await fillBallast(disk.files, BALLAST)
  await disk.memory.makeFolder('/data')
  await disk.fill()
  return disk
}

function ports(disk: SmallDisk, use: BallastUse): Ports {
  return withBallast({ files: disk.files } as Ports, STATE, use)
}
