import { setTimeout as sleep } from 'node:timers/promises'
import { describeClock } from '@caretaker/ports/conformance/clock.ts'
import { createClock } from './clock.ts'

describeClock('the machine', () => ({ clock: createClock(), pass: (ms) => sleep(ms) }))
