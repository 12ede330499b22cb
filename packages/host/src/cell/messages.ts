/** What the two processes of a cell tell each other; `to` comes with the connection itself. */
export type InsideMessage = { readonly kind: 'ready' }
export type OutsideMessage = {
  readonly kind: 'to'
  /** TCP port inside that the connection is for. */
  readonly port: number
}

export function isFromInside<Kind extends InsideMessage['kind']>(
  message: InsideMessage,
  kind: Kind,
): message is Extract<InsideMessage, { kind: Kind }> {
  return message.kind === kind
}
