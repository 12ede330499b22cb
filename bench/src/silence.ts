import { setTimeout as wait } from 'node:timers/promises'
import { statusOf } from './appliance.ts'

/** Asks again and again until `work` has ended; gives the longest time between two good answers, in ms. */
export async function longestSilence(port: number, work: Promise<unknown>): Promise<number> {
  let isOver = false
  const ended = work.finally(() => {
    isOver = true
  })
  let longestMs = 0
  let lastMs = performance.now()
  do {
    const isGood = (await statusOf(port, '/health').catch(() => undefined)) === 200
    const nowMs = performance.now()
    if (isGood) {
      longestMs = Math.max(longestMs, nowMs - lastMs)
      lastMs = nowMs
    }
    await wait(20)
  } while (!isOver)
  await ended
  return longestMs
}
