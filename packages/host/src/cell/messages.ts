/** What the two processes of a cell tell each other; `to` comes with the connection itself. */
/** `mail` comes with a connection to the sink. */
export type InsideMessage = { readonly kind: 'ready' } | { readonly kind: 'mail' }
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
