// One process at a time: a file with the pid of its holder. A holder that is gone gives way.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

/**
 * Takes the claim; false when another living process holds it that runs a script whose name ends with `script`.
 * It is given back when this process ends in order, and gives way when it was killed.
 */
export function claim(file, script) {
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      process.on('exit', () => release(file))
      return true
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (holderLives(file, script)) return false
      rmSync(file, { force: true })
    }
  }
}

export function release(file) {
  try {
    if (readFileSync(file, 'utf8') === String(process.pid)) rmSync(file)
  } catch {
    // It is gone already.
  }
}

function holderLives(file, script) {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    // Just created and not yet written: somebody is at it.
    if (pid === 0) return true
    return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(script)
  } catch {
    return false
  }
}
