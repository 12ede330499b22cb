import { sha256 } from '@caretaker/kernel/json.ts'
import type { ProcessLabel } from './process.ts'

/** Bits of a mark for each part of a label; together they stay below what the limits of the kernel can hold. */
const PLACE_BITS = 24n
const APP_BITS = 20n
const SERVICE_BITS = 19n

/**
 * The number that stands for a label where a process cannot take it off: see `Processes.findMarked`. Two labels of one
 * application have the same one in two million cases at most.
 */
export function markOf({ appliance, place, app, service }: ProcessLabel): bigint {
  return (
    (placeOf({ appliance, place }) << (APP_BITS + SERVICE_BITS)) |
    (bitsOf(app, APP_BITS) << SERVICE_BITS) |
    bitsOf(service, SERVICE_BITS)
  )
}

/** Whether a mark is of this appliance, place and application, whatever the service. */
export function isMarkOfApp(mark: bigint, label: Omit<ProcessLabel, 'service'>): boolean {
  return mark >> SERVICE_BITS === markOf({ ...label, service: '' }) >> SERVICE_BITS
}

/** Whether a mark is of this appliance and place, whatever the application. */
export function isMarkOfPlace(mark: bigint, label: Pick<ProcessLabel, 'appliance' | 'place'>): boolean {
  return mark >> (APP_BITS + SERVICE_BITS) === placeOf(label)
}

/** Never 0: a mark of nothing would be a limit of nothing. */
function placeOf({
  appliance,
  place,
}: {
  readonly appliance: string
  readonly place?: string | undefined
}): bigint {
  return bitsOf(`${appliance}/${place ?? ''}`, PLACE_BITS) | 1n
}

function bitsOf(text: string, bits: bigint): bigint {
  return BigInt.asUintN(Number(bits), BigInt(`0x${sha256(text).slice(0, 16)}`))
}
