// The client of the writer test, a process of its own: writes and remembers until it is told to finish.
import { setTimeout as pause } from 'node:timers/promises'
import { memoryReader } from '../memory.ts'
import { openContext } from './context.ts'
import { uploadFiles, writeEntries } from './entries.ts'
import { readEvents } from './events.ts'
import { writeNumbers } from './numbers.ts'
import { type ClientSettings, FINISH } from './settings.ts'

/** How long it goes on asking for what is still unknown at the end. */
const GIVE_UP_MS = 60_000
/** How long an acknowledged entry may take to come through the event stream at the end. */
const EVENTS_MS = 30_000

const settings = JSON.parse(process.argv[2] ?? '') as ClientSettings
const finishing = new AbortController()
const gaveUp = new AbortController()
const done = new AbortController()
process.on('message', (message) => {
  if (message !== FINISH) return
  finishing.abort()
  setTimeout(() => gaveUp.abort(), GIVE_UP_MS).unref()
})
// Whoever started us is gone, so nobody will judge.
const orphaned = () => process.exit(1)
process.on('disconnect', orphaned)

const memories = memoryReader(settings.log)
const context = openContext(settings, finishing.signal)
const reading = settings.readsEvents ? readEvents(context, done.signal) : undefined
await Promise.all([
  writeNumbers(context, gaveUp.signal),
  writeEntries(context),
  ...settings.uploadsMs.map((lastsMs) => uploadFiles(context, lastsMs)),
])
if (reading)
  for (const until = Date.now() + EVENTS_MS; Date.now() < until && !hasHeardOfAll(); ) await pause(250)
done.abort()
await reading
context.agent.destroy()
process.off('disconnect', orphaned)
process.disconnect()

function hasHeardOfAll(): boolean {
  const heard = new Set(memories().flatMap((memory) => (memory.kind === 'event' ? [memory.id] : [])))
  return memories().every((memory) => memory.kind !== 'entry' || heard.has(memory.id))
}
