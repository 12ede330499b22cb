import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeLocks } from '@caretaker/ports/conformance/locks.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLocks } from './locks.ts'

const holders: ChildProcess[] = []
const isRoot = process.getuid?.() === 0

describeLocks('the operating system', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'caretaker-locks-'))
  return { locks: createLocks(), folder, cleanUp: async () => rmSync(folder, { recursive: true }) }
})

describe('locks of the operating system', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'caretaker-locks-'))
    path = join(folder, 'lock')
  })
  afterEach(() => {
    for (const holder of holders.splice(0)) holder.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  it('are refused while another process holds them and end when it is killed', async () => {
    const holder = await holdElsewhere(path)
    expect(await createLocks().tryAcquire(path)).toBeUndefined()
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const lock = await createLocks().tryAcquire(path)
    expect(lock).toBeDefined()
    expect(readdirSync(folder)).toEqual(['lock'])
    await lock?.release()
  })

  it('still keep other processes out after a refusal in the own one', async () => {
    const lock = await createLocks().tryAcquire(path)
    expect(await createLocks().tryAcquire(join(folder, '.', 'lock'))).toBeUndefined()
    await expect(holdElsewhere(path)).rejects.toThrow('busy')
    await lock?.release()
    const holder = await holdElsewhere(path)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
  })

  it('are not kept by children of a dead holder, and nothing is said on standard error', async () => {
    const holder = await holdElsewhere(
      path,
      `spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).pid`,
    )
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const lock = await createLocks().tryAcquire(path)
    process.kill(holder.childPid, 'SIGKILL')
    expect(lock).toBeDefined()
    expect(holder.errors()).toBe('')
    await lock?.release()
  })

  it('can be taken by their owner only, also where the file was open to others', async () => {
    for (const name of ['fresh', 'old']) {
      const path = join(folder, name)
      if (name === 'old') writeFileSync(path, '', { mode: 0o666 })
      const lock = await createLocks().tryAcquire(path)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(await createLocks().tryAcquire(path)).toBeUndefined()
      await lock?.release()
    }
  })

  it('fail with what the operating system says where no file can be made', async () => {
    await expect(createLocks().tryAcquire(join(folder, 'none/lock'))).rejects.toMatchObject({
      code: 'ENOENT',
    })
    mkdirSync(path)
    await expect(createLocks().tryAcquire(path)).rejects.toThrow()
    writeFileSync(join(folder, 'text'), 'this is not a lock file '.repeat(100))
    await expect(createLocks().tryAcquire(join(folder, 'text'))).rejects.toThrow('not a database')
  })

  it.skipIf(isRoot)('fail with EACCES in a folder and on a file that may not be written', async () => {
    writeFileSync(path, '', { mode: 0o400 })
    await expect(createLocks().tryAcquire(path)).rejects.toMatchObject({ code: 'EACCES' })
    rmSync(path)
    chmodSync(folder, 0o500)
    await expect(createLocks().tryAcquire(path)).rejects.toMatchObject({ code: 'EACCES' })
    chmodSync(folder, 0o700)
  })

  it.runIf(isRoot && canMount())('fail with EROFS and ENOSPC on such file systems', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=2', 'tmpfs', folder])
    try {
      writeFileSync(join(folder, 'first'), '')
      await expect(createLocks().tryAcquire(path)).rejects.toMatchObject({ code: 'ENOSPC' })
      rmSync(join(folder, 'first'))
      writeFileSync(path, '')
      execFileSync('mount', ['-o', 'remount,ro', folder])
      await expect(createLocks().tryAcquire(path)).rejects.toMatchObject({ code: 'EROFS' })
      await expect(createLocks().tryAcquire(join(folder, 'new'))).rejects.toMatchObject({ code: 'EROFS' })
    } finally {
      execFileSync('umount', [folder])
    }
  })
})

type Holder = ChildProcess & { readonly childPid: number; errors(): string }

/** Another process that takes the lock, keeps no hand on it, and lives on; rejects with "busy" when it cannot. */
async function holdElsewhere(path: string, childPid = '0'): Promise<Holder> {
  const script = `
    import { spawn } from 'node:child_process'
    import { setImmediate } from 'node:timers/promises'
    import { createLocks } from ${JSON.stringify(new URL('./locks.ts', import.meta.url).href)}
    const isHeld = (await createLocks().tryAcquire(${JSON.stringify(path)})) !== undefined
    await setImmediate()
    gc()
    await setImmediate()
    console.log(isHeld ? ${childPid} : 'busy')
    if (isHeld) setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  holders.push(child)
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const [printed] = (await once(child.stdout, 'data')) as [Buffer]
  const answer = printed.toString().trim()
  if (answer === 'busy') throw new Error('busy')
  return Object.assign(child, { childPid: Number(answer), errors: () => errors })
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'caretaker-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true })
  }
}
