import type { ProcessLabel } from '@caretaker/ports/process.ts'

/** The variable of the environment that carries "appliance/app/service", and "/place" where the label has one. */
export const LABEL_VARIABLE = 'CARETAKER_LABEL'

export function labelText({ appliance, app, service, place }: ProcessLabel): string {
  return [appliance, app, service, ...(place === undefined ? [] : [place])].join('/')
}

export function parseLabel(text: string | undefined): ProcessLabel | undefined {
  const [appliance, app, service, place, ...rest] = text?.split('/') ?? []
  if (!appliance || !app || !service || rest.length > 0) return undefined
  return { appliance, app, service, ...(place === undefined ? {} : { place }) }
}
