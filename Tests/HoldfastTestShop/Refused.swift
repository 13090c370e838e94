internal import HoldfastModel

/// What an operation is refused with, message and hint; "it was done" where it is not refused.
package func refusal(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "it was done"
  } catch {
    return "\(error)"
  }
}
