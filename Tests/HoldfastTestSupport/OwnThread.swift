internal import HoldfastSystem

/// Runs a body that waits for a `ShellCommand` on a thread of its own, as the program does: tests run on the few
/// threads that Swift shares, and the command needs one of those.
package func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    WorkerThread.detach { continuation.resume(with: Result { try body() }) }
  }
}
