/** An answer to a request that is not to be fulfilled; `message` is shown to whoever asked. */
export class HttpError extends Error {
  constructor(status, message, details = {}) {
    super(message)
    this.status = status
    this.details = details
  }
}
