import * as z from 'zod'
import { caretakerSchema } from './schema.ts'

/** A JSON Schema (draft 2020-12) as far as the code here looks into it. */
export interface JsonSchema {
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly [keyword: string]: unknown
}

/** JSON Schema of a whole `appliance.yml`; keys other than `caretaker` belong to cloud-init and are left to it. */
export function configJsonSchema(): JsonSchema {
  const { $schema, ...caretaker } = z.toJSONSchema(caretakerSchema, { io: 'input' }) as JsonSchema
  return {
    $schema,
    title: 'Config of a Caretaker appliance (appliance.yml)',
    description: 'A cloud-init user-data file; everything of Caretaker stands under "caretaker".',
    type: 'object',
    properties: { caretaker: { description: 'Everything of Caretaker.', ...caretaker } },
    required: ['caretaker'],
    additionalProperties: true,
  }
}
