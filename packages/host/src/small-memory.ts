import { setFlagsFromString } from 'node:v8'

/** The young generation stays at 1 MB instead of growing to 16; code is interpreted, not compiled. See node --v8-options. */
const FLAGS = ['--semi-space-growth-factor=1', '--no-sparkplug', '--no-maglev', '--no-turbofan']

/**
 * Makes this process keep to little memory, for one that mostly waits: long computations get many times slower. To be
 * called before anything else is loaded.
 */
export function keepMemorySmall(): void {
  for (const flag of FLAGS) setFlagsFromString(flag)
}
