import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createMachine, findInPasswd } from './machine.ts'
import { memoryLimitBytes } from './memory-limit.ts'

describe('machine', () => {
  it('knows itself', async () => {
    const machine = createMachine()
    expect(await machine.bootId()).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
    expect(machine.memoryBytes()).toBeGreaterThan(64 * 1024 * 1024)
    expect(machine.cpuCount()).toBeGreaterThan(0)
    expect(machine.hostName()).not.toBe('')
    expect(await machine.findUser('root')).toEqual({ uid: 0, gid: 0 })
    expect(await machine.findUser('no-such-user')).toBeUndefined()
    const { uid, gid, name } = machine.user()
    expect(await machine.findUser(name)).toEqual({ uid, gid })
  })

  it('takes a user by its whole name only', () => {
    const passwd = 'postgres2:x:1:2::/:/bin/sh\npostgres:x:113:121:,,,:/var:/bin/bash\n\n'
    expect(findInPasswd(passwd, 'postgres')).toEqual({ uid: 113, gid: 121 })
    expect(findInPasswd(passwd, '')).toBeUndefined()
  })
})

describe('memory limit', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'caretaker-machine-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }

  it('is the lowest of the groups above us in control groups v2', () => {
    put('proc/self/cgroup', '0::/system.slice/caretaker.service\n')
    put('sys/fs/cgroup/system.slice/caretaker.service/memory.max', 'max\n')
    put('sys/fs/cgroup/system.slice/memory.max', '536870912\n')
    expect(memoryLimitBytes(root)).toBe(536_870_912)
  })

  it('is read from the memory controller in control groups v1', () => {
    put('proc/self/cgroup', '5:cpu,cpuacct:/\n4:memory:/docker/abc\n0::/\n')
    put('sys/fs/cgroup/memory/memory.limit_in_bytes', '1073741824\n')
    expect(memoryLimitBytes(root)).toBe(1_073_741_824)
  })

  it('is nothing where there is no limit', () => {
    put('proc/self/cgroup', '0::/\n')
    expect(memoryLimitBytes(root)).toBeUndefined()
    expect(memoryLimitBytes(join(root, 'none'))).toBeUndefined()
  })
})
